//! What the pages say, in English and in Japanese.

use std::fmt::Display;

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, COOKIE};

/// The languages: each has every text, or the program does not compile.
macro_rules! texts {
    ($($name:ident: $english:literal, $japanese:literal;)*) => {
        /// Every text of the pages.
        #[expect(missing_docs, reason = "each is named by what it says")]
        #[derive(Debug)]
        pub struct Texts {
            pub code: &'static str,
            $(pub $name: &'static str,)*
        }

        static ENGLISH: Texts = Texts { code: "en", $($name: $english,)* };
        static JAPANESE: Texts = Texts { code: "ja", $($name: $japanese,)* };
    };
}

texts! {
    other_language: "日本語", "English";
    alerts: "Alerts", "アラート";
    nodes: "Nodes", "ノード";
    checks: "Checks", "チェック";
    silences: "Silences", "サイレンス";
    cluster: "Cluster", "クラスタ";
    node: "Node", "ノード";
    check: "Check", "チェック";
    alert: "Alert", "アラート";
    severity: "Severity", "重大度";
    state: "State", "状態";
    status: "Status", "状態";
    output: "Output", "出力";
    since: "Since", "継続";
    seen: "Last seen", "最終確認";
    failing: "Failing", "異常";
    total: "Total", "合計";
    stale: "stale", "更新なし";
    all: "all", "すべて";
    find: "Find", "検索";
    find_hint: "Words in labels and outputs", "ラベルと出力を検索";
    filter_hint: "env=\"prod\", instance=~\"web.*\"", "env=\"prod\", instance=~\"web.*\"";
    group: "Group by", "グループ";
    no_group: "no groups", "なし";
    nothing: "Nothing matches.", "該当するものはありません。";
    show_all: "Show all", "すべて表示";
    pages: "Pages", "ページ";
    breadcrumb: "Where this page is", "現在位置";
    previous: "← Previous", "← 前へ";
    next: "Next →", "次へ →";
    of: "of", "/";
    to: "to", "–";
    ago: "ago", "前";
    as_of: "As of", "取得時刻";
    does_not_answer: "does not answer; shown is what it said", "が応答しません。表示は次の時点のものです:";
    never: "never", "なし";
    one_of_pair: "One of several does not answer", "一部のサーバが応答しません";
    no_sums: "could not count all checks; shown is the count of", "がすべてのチェックを集計できません。表示は次の時点のものです:";
    partial: "Something is missing in what one says", "応答の一部が欠けています";
    no_data: "no data", "データなし";
    began: "Began within 7 days", "7日間の発生";
    changes: "Changes", "変化";
    as_known: "as Prometheus knew it", "Prometheus の記録:";
    labels: "Labels", "ラベル";
    command: "Command", "コマンド";
    history: "History", "履歴";
    hooks: "Hooks", "フック";
    difference: "From the last OK to the first failing output", "最後の正常時から最初の異常時への差分";
    no_output: "(no output)", "(出力なし)";
    no_detail: "The node does not tell more", "ノードから詳細を取得できません";
    checks_from_prometheus: "What Prometheus and Alertmanager know:", "Prometheus と Alertmanager の情報:";
    up: "is up", "稼働中";
    down: "is down", "停止";
    down_since: "is down since", "停止:";
    pushes: "pushes its results", "結果をプッシュ";
    last_result: "Last result", "最終結果";
    occurrences: "Occurrences", "連続回数";
    duration: "Duration", "実行時間";
    exit_status: "Exit status", "終了コード";
    interval: "Interval", "間隔";
    handlers: "Handlers", "ハンドラ";
    client: "Client", "クライアント";
    address: "Address", "アドレス";
    subscriptions: "Subscriptions", "サブスクリプション";
    silenced: "silenced", "サイレンス中";
    silenced_by: "Silenced by", "サイレンス:";
    inhibited: "inhibited", "抑制中";
    active: "active", "有効";
    pending: "pending", "待機中";
    expired: "expired", "終了";
    ends: "Ends", "終了";
    begins: "Begins", "開始";
    author: "Author", "作成者";
    reason: "Reason", "理由";
    matchers: "Matchers", "条件";
    mutes: "Mutes", "対象";
    not_found: "There is no such page.", "ページがありません。";
    no_such_node: "No such node is known in this cluster.", "このクラスタにそのノードはありません。";
    no_such_check: "No such check is known. A new one is within a quarter of an hour.", "そのチェックはありません。新しいチェックは15分以内に表示されます。";
    cross_site: "Another site has sent this in your name; nothing was changed.", "別のサイトから送られたため、何も変更していません。";
    signed_in: "Signed in as", "ログイン中:";
    read_only: "read only", "閲覧のみ";
    unknown_host: "This is not a name of web-ui: use its IP address or localhost, or list the name in `access.hosts` of its configuration.", "この名前では応答しません。IP アドレスか localhost を使うか、設定の `access.hosts` に名前を追加してください。";
    unnamed_by_proxy: "The proxy did not say who you are: it has to set the header that `access.proxy.user_header` names, once.", "プロキシがユーザ名を伝えていません。`access.proxy.user_header` のヘッダを一度だけ設定する必要があります。";
    not_by_proxy: "Ask through the proxy: without it, nobody here knows who you are.", "プロキシ経由でアクセスしてください。直接のアクセスではユーザを確認できません。";
    read_only_user: "You may look, but not change anything.", "閲覧のみ可能です。変更する権限がありません。";
    by: "by", "原因:";
    silence: "Silence", "サイレンス";
    silence_chosen: "Silence chosen", "選択をサイレンス";
    silence_all: "Silence all that match", "該当するものをすべてサイレンス";
    choose: "Choose", "選択";
    choose_page: "All on this page", "このページをすべて選択";
    chosen: "# chosen", "# 件選択中";
    notify: "Notify me of new ones", "新しいアラートを通知";
    notifying: "Notifying of new ones", "新しいアラートを通知中";
    notify_instead: "Notify me of these instead", "通知の条件をこれに変更";
    notify_refused: "The browser does not allow notifications", "ブラウザで通知が許可されていません";
    new_alert: "new alert", "件の新しいアラート";
    new_alerts: "new alerts", "件の新しいアラート";
    not_live: "Not live since", "更新停止:";
    is_late: "has not answered lately; shown is what it said", "の応答が遅れています。表示は次の時点のものです:";
    not_asked: "has not answered yet", "はまだ応答していません";
    keys: "Keyboard", "キーボード";
    keys_on: "Single keys do these things", "1 文字のキー操作を使う";
    key_step: "Next, previous row", "次の行・前の行";
    key_open: "Open", "開く";
    key_choose: "Choose the row, or not", "行を選択・解除";
    key_silence: "Silence what is chosen, or else the row", "選択した行、なければ現在の行をサイレンス";
    key_search: "Search", "検索";
    key_go: "Go to alerts, nodes, checks, silences", "アラート・ノード・チェック・サイレンスへ";
    key_escape: "Leave the field, choose nothing", "入力欄を離れる・選択をすべて解除";
    key_help: "This help", "このヘルプ";
    close: "Close", "閉じる";
    export: "Export", "エクスポート";
    busy: "Too many files are being written now. Try again in a moment.", "現在、出力中のファイルが多すぎます。しばらくしてから再度お試しください。";
    until: "until", "まで";
    seconds: "s", "秒";
    minutes: "min", "分";
    hours: "h", "時間";
    days: "d", "日";

    silence_node: "Silence this node", "このノードをサイレンス";
    silence_check: "Silence this check here", "このチェックをここでサイレンス";
    new_silence: "New silence", "新しいサイレンス";
    and: " and ", "と";
    and_more: "{0} and {1} more", "{0} ほか{1}件";
    now: "now", "今";
    sentence: "Mute {0} in {1} for {2}, from {3} until {4}, because: {5}", "{1}で{0}を{3}から{4}まで（{2}）ミュートします。理由: {5}";
    sentence_resolved: "Mute {0} in {1} for {2}, from {3} until it is resolved, at the latest {4}, because: {5}", "{1}で{0}を{3}から解消するまで、遅くとも{4}まで（{2}）ミュートします。理由: {5}";
    subject_on: "{0} on {1}", "{1}の{0}";
    subject_everywhere: "{0} on every node", "すべてのノードの{0}";
    everything_on: "everything on {0}", "{0}のすべて";
    every_alert: "every alert", "すべてのアラート";
    subject_where: "{0} where {1}", "{0}（{1}）";
    problem_target: "what was chosen cannot be read: {0}", "選択内容を読み取れません: {0}";
    problem_nothing: "say what to silence: matchers, or alerts, nodes or checks", "対象を指定してください（条件、アラート、ノード、チェック）";
    problem_too_many: "more than {0} were chosen one by one: use a filter", "個別に選択できるのは{0}件までです。条件で指定してください";
    problem_empty: "it would match alerts without any of these labels: at least one matcher must not match an empty value", "ラベルのないアラートにも一致します。空の値に一致しない条件が少なくとも一つ必要です";
    problem_no_cluster: "choose a cluster", "クラスタを選択してください";
    problem_unknown_cluster: "there is no cluster `{0}` with an Alertmanager", "Alertmanager を持つクラスタ「{0}」はありません";
    problem_time: "`{0}` is not a time; write 2026-11-21T14:00", "「{0}」は日時ではありません。2026-11-21T14:00 のように入力してください";
    problem_length: "`{0}` is not a length of time; write 30m, 2h, 1d or 1w", "「{0}」は期間ではありません。30m、2h、1d、1w のように入力してください";
    problem_no_end: "a silence has to end: choose how long, or until when", "期間または終了日時を指定してください";
    problem_over: "the end has passed", "終了日時が過去です";
    problem_begun: "it has begun, and its beginning cannot be moved any more", "すでに開始しているため、開始は変更できません";
    problem_settled: "cannot be said of a silence that there is: `filter` says what it matches", "既存のサイレンスには指定できません。対象は `filter` で指定します";
    problem_backwards: "the end is before the beginning", "終了が開始より前です";
    problem_too_long: "the longest silence is {0} (`silences.longest`)", "最長は{0}です（`silences.longest`）";
    problem_no_reason: "say why", "理由を入力してください";
    problem_no_author: "say who you are", "名前を入力してください";
    problem_wordy: "at most {0} characters", "{0}文字以内で入力してください";
    problem_nothing_chosen: "choose at least one silence", "サイレンスを一つ以上選択してください";
    no_such_silence: "There is no such silence, or it has ended.", "サイレンスがないか、終了しています。";
    done_known: "Silences that were there already: {0}", "すでにあったサイレンス: {0}";
    is_known: "was there already", "すでにあります";
    done_made: "Silences made: {0}", "作成したサイレンス: {0}";
    done_changed: "The silence has been changed.", "サイレンスを変更しました。";
    done_extended: "Silences extended: {0}", "延長したサイレンス: {0}";
    done_expired: "Silences ended: {0}", "終了したサイレンス: {0}";
    is_done: "done", "完了";
    show_it: "show", "表示";
    not_everything: "Not everything could be done", "一部を実行できませんでした";
    retry_hint: "What failed is left in the form; what was done is not done twice.", "失敗したものがフォームに残っています。完了したものが重複することはありません。";
    try_again: "Try again", "再試行";
    edit_silence: "Edit silence", "サイレンスの編集";
    create_silence: "Silence", "サイレンスする";
    save: "Save", "保存";
    edit: "Edit", "編集";
    extend: "Extend", "延長";
    expire: "End now", "今すぐ終了";
    make_again: "Make again", "再作成";
    preview: "Preview", "プレビュー";
    clusters: "Clusters", "クラスタ";
    labels_that_count: "Alerts with these labels", "次のラベルを持つアラート";
    more_matchers: "And only those that match", "さらに絞り込む条件";
    how_long: "How long", "期間";
    or_until: "or until", "または終了日時";
    until_at: "until", "終了日時";
    begins_or_now: "from (now, if empty)", "開始（空欄なら今から）";
    times_in: "times in", "時刻帯";
    until_resolved: "until resolved", "解消まで";
    until_resolved_hint: "until resolved: ends by itself once nothing fires any more that it matches, at the latest at its end", "解消まで：一致するアラートがなくなると自動的に終了します（遅くとも終了日時に）";
    chosen_ones: "Chosen silences", "選択したサイレンス";
    changed_last: "Last changed", "最終変更";
    ended_meanwhile: "The silence has ended meanwhile. Nothing was changed; sending the form makes a new one.", "サイレンスはすでに終了しています。変更は行われていません。送信すると新しく作成します。";
    changed_meanwhile: "The silence has been changed meanwhile, now by {0}. Nothing was overwritten; saving replaces it by yours.", "サイレンスは{0}によって変更されています。上書きはしていません。保存するとあなたの内容で置き換えます。";
    theirs: "As it is now", "現在の内容";
    yours: "What you sent", "あなたの内容";
    mutes_nothing: "Mutes nothing that fires now.", "現在発生中のアラートには一致しません。";
    mutes_now: "Alerts now: {0} (nodes: {1}, checks: {2}).", "現在のアラート: {0}（ノード: {1}、チェック: {2}）。";
    muted_now: "Muted now: {0}; alerts that match: {1}.", "現在ミュート中: {0}、一致するアラート: {1}。";
    and_passing: "And checks that are OK now: {0}.", "正常なチェックも対象: {0}。";
    covered_already: "Silenced already: {0}.", "すでにサイレンス中: {0}。";
    broad: "Look twice: it matches {0} of all {1} alerts of the cluster.", "範囲を確認してください: クラスタの全{1}件中{0}件に一致します。";
    preview_outdated: "This preview is out of date: the server could not be asked.", "プレビューを更新できません。表示は変更前の内容です。";
    preview_old: "Its Alertmanagers do not answer; this is what they said last.", "Alertmanager が応答しません。最後に取得した内容です。";
    silences_it_becomes: "It becomes {0} silences: fewer would mute what was not chosen.", "{0}件のサイレンスになります。これより少ないと、選択していないものまでミュートします。";
    gone_alerts: "Chosen alerts that do not fire any more: {0}.", "選択したアラートのうち解消済み: {0}。";
    not_understood: "One of its matchers cannot be used here; see Alertmanager.", "条件を解釈できません。Alertmanager を確認してください。";
    problem_nothing_fires: "nothing fires that it matches, so there is nothing to wait for: {0}", "一致するアラートが発生していないため、解消を待てません: {0}";
    problem_planned: "a silence that begins later cannot wait for its alerts: they do not fire yet, and it would end at once. Leave out the beginning, or the mark", "後で開始するサイレンスは解消を待てません。開始時にアラートがまだ発生しておらず、すぐに終了してしまうためです。開始時刻か解消までの指定を外してください";
    problem_two_ends: "either a length or an end, not both", "延長する長さと終了時刻は、どちらか一方だけを指定してください";
}

impl Texts {
    /// The texts of the language that a request asks for: by the cookie `lang`, or else as its browser says.
    pub fn of(headers: &HeaderMap) -> &'static Self {
        let values = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let cookies = values(COOKIE).flat_map(|cookies| cookies.split(';'));
        let chosen = cookies.filter_map(|cookie| cookie.trim().strip_prefix("lang=")).find_map(Self::by_code);
        let accepted = || {
            let mut accepted = values(ACCEPT_LANGUAGE).flat_map(|languages| languages.split(','));
            // Browsers list languages by preference; a language of ours that comes first is it.
            accepted.find_map(|language| Self::by_code(language.trim().get(..2)?))
        };
        chosen.or_else(accepted).unwrap_or(&ENGLISH)
    }

    /// The texts of a language; English where there is no such one.
    pub fn in_language(code: &str) -> &'static Self {
        Self::by_code(code).unwrap_or(&ENGLISH)
    }

    /// The code of the other language.
    pub fn other(&self) -> &'static str {
        if self.code == "en" { "ja" } else { "en" }
    }

    /// The texts of a language.
    pub(crate) fn by_code(code: &str) -> Option<&'static Self> {
        [&ENGLISH, &JAPANESE].into_iter().find(|texts| texts.code == code)
    }

    /// The word for a severity, a state or a status; as it is where there is none.
    pub fn word<'a>(&'a self, word: &'a str) -> &'a str {
        match word {
            "active" => self.active,
            "pending" => self.pending,
            "expired" => self.expired,
            "silenced" => self.silenced,
            "inhibited" => self.inhibited,
            other => other,
        }
    }

    /// Seconds in their two largest units: `45 s`, `3 min`, `2 h 5 min`, `4 d 3 h`.
    pub fn duration(&self, seconds: i64) -> String {
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        let Self { seconds: s, minutes: min, hours: h, days: d, .. } = self;
        match seconds {
            ..60 => format!("{} {s}", seconds.max(0)),
            60..3600 => format!("{minutes} {min}"),
            3600..86_400 if minutes % 60 == 0 => format!("{hours} {h}"),
            3600..86_400 => format!("{hours} {h} {} {min}", minutes % 60),
            _ if hours % 24 == 0 || days > 30 => format!("{days} {d}"),
            _ => format!("{days} {d} {} {h}", hours % 24),
        }
    }
}

/// A text with `values` in the places that it has for them: `{0}`, `{1}` and so on.
pub fn fill(text: &str, values: &[&dyn Display]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let (index, behind) = behind.split_once('}').unwrap_or((behind, ""));
        if let Some(value) = index.parse().ok().and_then(|index: usize| values.get(index)) {
            filled.push_str(&value.to_string());
        }
        rest = behind;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_chosen() {
        for (cookie, accepted, want) in [
            ("", "", "en"),
            ("", "ja,en;q=0.9", "ja"),
            ("", "de-DE, en;q=0.8, ja;q=0.1", "en"),
            ("a=b; lang=ja", "en", "ja"),
            ("lang=xx", "ja-JP", "ja"),
            ("", "*", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.parse().unwrap());
            headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(Texts::of(&headers).code, want, "{cookie} {accepted}");
        }
    }

    #[test]
    fn values_stand_where_the_language_wants_them() {
        assert_eq!(fill("{1}の{0}", &[&"{1}", &2]), "2の{1}", "a value is no text of ours");
        assert_eq!(fill("no place", &[&1]), "no place");
    }

    #[test]
    fn durations_have_two_units() {
        let told: Vec<_> = [-3, 59, 180, 7_500, 97_200, 40 * 86_400].iter().map(|at| ENGLISH.duration(*at)).collect();
        assert_eq!(told, ["0 s", "59 s", "3 min", "2 h 5 min", "1 d 3 h", "40 d"]);
    }
}
