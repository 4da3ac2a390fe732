//! What the pages say, in English and in Japanese.
//!
//! Errors are told to people in their language ([`Say`]), and to programs and in logs in English.

mod language;

pub use language::{around, fill, list};

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

        /// Each text's name, and what it is in both languages.
        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $japanese),)*];
    };
}

/// What can be told in the language of whoever reads it.
pub trait Say {
    /// In words of that language; the words of other programs stay as they are.
    fn say(&self, t: &Texts) -> String;
}

/// Makes errors of what can be said: their own words, for programs and logs, are English.
macro_rules! errors {
    ($($error:ty),* $(,)?) => {$(
        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.say(&ENGLISH))
            }
        }

        impl std::error::Error for $error {}
    )*};
}

errors!(
    crate::detail::DetailError,
    crate::lists::BadAddress,
    crate::matcher::BadMatcher,
    crate::matcher::BadRegex,
    crate::silencing::write::WriteError,
    crate::upstream::AskError,
);

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
    filter_hint: "instance=~\"web.*\"", "instance=~\"web.*\"";
    group: "Group by", "グループ";
    no_group: "no groups", "なし";
    nothing: "Nothing matches.", "該当するものはありません。";
    show_all: "Show all", "すべて表示";
    pages: "Pages", "ページ";
    breadcrumb: "Where this page is", "現在位置";
    previous: "← Previous", "← 前へ";
    next: "Next →", "次へ →";
    page_of: "{0} of {1} · {2} in all", "{0} / {1} ページ・全{2}件";
    of: "of", "/";
    ago: "{0} ago", "{0}前";
    left: "in {0}", "あと{0}";
    as_of: "As of", "取得時刻";
    does_not_answer: "does not answer; shown is what it said {0} ago.", "が応答しません。表示は{0}前の内容です。";
    never_answered: "does not answer, and has not until now.", "が応答しません。これまでに一度も応答していません。";
    one_of_pair: "One of several does not answer: {0}.", "一部のサーバが応答しません: {0}。";
    no_sums: "could not count all checks; shown is the count of {0} ago.", "がすべてのチェックを集計できません。表示は{0}前の集計です。";
    never_counted: "could not count all checks, and has not until now.", "がすべてのチェックを集計できません。これまでに一度も集計していません。";
    partial: "Something is missing in what one says: {0}.", "応答の一部が欠けています: {0}。";
    no_data: "no data", "データなし";
    began: "Began within 7 days", "7日間の発生";
    changes: "Changes", "変化";
    as_known: "as Prometheus knew it", "Prometheus の記録:";
    labels: "Labels", "ラベル";
    annotations: "Annotations", "アノテーション";
    receivers: "Receivers", "通知先";
    generator: "Expression", "条件式";
    group_label: "Any label", "任意のラベル";
    command: "Command", "コマンド";
    history: "History", "履歴";
    hooks: "Hooks", "フック";
    difference: "From the last OK to the first failing output", "最後の正常時から最初の異常時への差分";
    no_output: "(no output)", "(出力なし)";
    cut_off: "[... {0} bytes more ...]", "[... ほか{0}バイト ...]";
    no_detail: "The node does not tell more: {0}.", "ノードから詳細を取得できません: {0}。";
    checks_from_prometheus: "What Prometheus and Alertmanager know:", "Prometheus と Alertmanager の情報:";
    up: "is up", "稼働中";
    down: "is down", "停止中";
    is_down: "down", "停止";
    down_since: "is down since", "停止:";
    pushes: "pushes its results", "結果をプッシュ";
    last_result: "Last result", "最終結果";
    times: "{0}×", "{0}×";
    times_or_more: "{0}× or more", "{0}×以上";
    occurrences: "Occurrences", "連続回数";
    duration: "Duration", "実行時間";
    exit_status: "Exit status", "終了コード";
    interval: "Interval", "間隔";
    handlers: "Handlers", "ハンドラ";
    client: "Client", "クライアント";
    address: "Address", "アドレス";
    subscriptions: "Subscriptions", "サブスクリプション";
    silenced: "silenced", "サイレンス中";
    silencer: "silenced by {0}", "{0} がサイレンス中";
    time_left: "{0} left", "残り{0}";
    silenced_from: "Will be silenced by {0}, from {1}:", "{0} が {1} からサイレンス予定:";
    silenced_by: "Silenced by {0}, until {1}:", "{0} が {1} までサイレンス中:";
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
    no_such_alert: "No such alert fires in this cluster any more.", "そのアラートはこのクラスタで発生していません。";
    no_such_node: "No such node is known in this cluster.", "このクラスタにそのノードはありません。";
    no_such_check: "No such check is known. A new one is within a quarter of an hour.", "そのチェックはありません。新しいチェックは15分以内に表示されます。";
    cross_site: "Another site has sent this in your name; nothing was changed.", "別のサイトから送られたため、何も変更していません。";
    signed_in: "Signed in as", "ログイン中:";
    read_only: "read only", "閲覧のみ";
    unknown_host: "web-ui does not know {0} as a name of its own: list it in `access.hosts` of its configuration and reload that, or use its IP address.", "{0} という名前では応答しません。設定の `access.hosts` に追加して再読み込みするか、IP アドレスを使ってください。";
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
    is_late: "has not answered lately; shown is what it said {0} ago.", "の応答が遅れています。表示は{0}前の内容です。";
    not_asked: "has not answered yet.", "はまだ応答していません。";
    keys: "Keyboard", "キーボード";
    keys_on: "Single keys do these things", "1 文字のキー操作を使う";
    key_step: "Next, previous row", "次の行・前の行";
    key_open: "Open", "開く";
    key_choose: "Choose the row, or not", "行を選択・解除";
    key_silence: "Silence what is chosen, or else the row or the open check", "選択した行、なければ現在の行か開いているチェックをサイレンス";
    key_search: "Search", "検索";
    key_go: "Go to alerts, nodes, checks, silences", "アラート・ノード・チェック・サイレンスへ";
    key_escape: "Leave the field, choose nothing", "入力欄を離れる・選択をすべて解除";
    key_help: "This help", "このヘルプ";
    close: "Close", "閉じる";
    export: "Export", "エクスポート";
    busy: "Too many files are being written now. Try again in a moment.", "現在、出力中のファイルが多すぎます。しばらくしてから再度お試しください。";
    seconds: "{0} s", "{0}秒";
    minutes: "{0} min", "{0}分";
    hours: "{0} h", "{0}時間";
    days: "{0} d", "{0}日";
    gap: " ", "";

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
    problem_labels: "more than {0} labels count: switch some of them off", "使用できるラベルは{0}個までです。一部を外してください";
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
    problem_unfit: "no control characters and none that turn the direction of text ({0})", "制御文字や文字の向きを変える文字は使えません（{0}）";
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

    address_filter: "filter: {0}", "filter: {0}";
    address_number: "{0}: `{1}` is not a whole number from 1 up", "{0}: 「{1}」は1以上の整数ではありません";
    address_sort: "sort: `{0}` is not a column; known here: {1}", "sort: 「{0}」という列はありません。指定できるもの: {1}";
    matcher_name: "a label's name is expected at `{0}`", "「{0}」の位置にラベル名が必要です";
    matcher_operator: "one of =, !=, =~, !~ is expected behind `{0}`", "「{0}」の後に =、!=、=~、!~ のいずれかが必要です";
    matcher_quote: "the quote at `{0}` has no end", "「{0}」の引用符が閉じていません";
    matcher_comma: "a comma is expected at `{0}`", "「{0}」の前にカンマが必要です";
    matcher_regex: "`{0}` cannot be used as a regular expression: {1}", "「{0}」は正規表現として使えません: {1}";
    regex_brace: "a brace that does not say how often something is repeated is written {0}", "繰り返しを表さない波括弧は {0} と書いてください";
    regex_class: "a [ in a class is written \\[", "文字クラスの中の [ は \\[ と書いてください";
    regex_operator: "`{0}` in a class is written {1}", "文字クラスの中の「{0}」は {1} と書いてください";
    regex_escape: "Alertmanager does not know `{0}`; write {1}", "Alertmanager は「{0}」に対応していません。{1} と書いてください";
    regex_quoted: "write each character escaped instead of \\Q…\\E", "\\Q…\\E の代わりに、文字ごとにエスケープしてください";
    regex_flag: "Alertmanager does not know the flag `{0}`; it knows i, m, s and U", "Alertmanager はフラグ「{0}」に対応していません（使えるのは i、m、s、U）";
    regex_name: "a group is named as in (?P<name>…), with letters, digits and _", "グループ名は (?P<name>…) の形で、英数字と _ だけを使ってください";
    regex_property: "Alertmanager does not know `{0}`; it knows scripts, as {1}, and categories, as \\pL or {2}", "Alertmanager は「{0}」に対応していません（使えるのは {1} のような用字と、\\pL や {2} のようなカテゴリ）";
    regex_twice: "`{0}` repeats what is repeated already; put that in a group", "「{0}」は繰り返しの繰り返しです。グループにまとめてください";
    regex_repeats: "something is repeated more than {0} times", "繰り返しが{0}回を超えています";
    regex_large: "it is too large", "大きすぎます";
    ask_late: "did not answer in time", "時間内に応答しませんでした";
    ask_broken: "the connection failed: {0}", "通信に失敗しました: {0}";
    ask_stalled: "the body did not arrive in time", "時間内に応答を受信しきれませんでした";
    ask_large: "the body is larger than {0} bytes", "応答が{0}バイトを超えています";
    ask_refused: "answered {0}", "{0} を返しました";
    ask_nonsense: "answered something else than expected: {0}", "想定外の応答です: {0}";
    ask_crowded: "too much else is being asked; look again in a moment", "問い合わせが集中しています。しばらくしてから再度表示してください";
    ask_awaited: "no answer within {0}; it is waited for", "{0}以内に応答がありません。引き続き応答を待っています";
    detail_no_target: "Prometheus lists no target with this job and instance, so its address is not known (behind Thanos, Mimir or VictoriaMetrics, `targets` of the configuration has to name those who scrape)", "Prometheus のターゲットにこの job と instance がないため、ノードのアドレスがわかりません（Thanos、Mimir、VictoriaMetrics の場合は、スクレイプしているサーバを設定の `targets` に指定してください）";
    detail_no_node: "it is a target of the job {0}, and only those of jobs that match `node_jobs` ({1}) are asked: what else is scraped shall not get the nodes' credentials. If it is a node, extend `node_jobs` of its cluster in the configuration", "ジョブ {0} のターゲットですが、問い合わせるのは `node_jobs`（{1}）に一致するジョブだけです。ほかのターゲットにノード用の認証情報を渡さないためです。ノードであれば、設定でクラスタの `node_jobs` に追加してください";
    detail_unlisted: "the node's address is not known: {0} (what has no /api/v1/targets, as Thanos and Mimir, needs `targets` in the configuration)", "ノードのアドレスがわかりません: {0}（Thanos や Mimir のように /api/v1/targets がない場合は、設定の `targets` が必要です）";
    detail_busy: "{0} was not asked: more is being asked of nodes than they answer; look again in a moment", "ノードへの問い合わせが集中しているため、{0} には問い合わせていません。しばらくしてから再度表示してください";
    node_late: "{0} did not answer in time", "{0} が時間内に応答しませんでした";
    node_unreachable: "cannot connect to {0}: {1}", "{0} に接続できません: {1}";
    node_lacks: "{0} has no result of this check: {1}", "{0} にこのチェックの結果はありません: {1}";
    node_doubts: "{0} has more than one such check: {1}", "{0} に同じ名前のチェックが複数あります: {1}";
    node_refused: "{0} answered {1}: {2}", "{0} が {1} を返しました: {2}";
    node_large: "{0} answered with more than {1} bytes", "{0} の応答が{1}バイトを超えています";
    node_nonsense: "{0} answered with something else than a check result: {1}", "{0} の応答がチェック結果ではありません: {1}";
    node_broke_off: "{0} broke off its answer: {1}", "{0} の応答が途中で切れました: {1}";
    write_down: "no Alertmanager answers: {0}", "Alertmanager が応答しません: {0}";
    write_none: "the cluster has none", "このクラスタにはありません";
    write_old: "{0} is Alertmanager {1}, which knows no != and !~; they need 0.22", "{0} の Alertmanager {1} は != と !~ に対応していません（0.22 以降が必要です）";
    write_changed: "somebody has changed the silence meanwhile", "サイレンスはその間に変更されています";
    write_ended: "the silence has ended", "サイレンスはすでに終了しています";
    write_gone: "there is no such silence", "そのサイレンスはありません";
    write_busy: "others change silences of the cluster; try again in a moment", "このクラスタのサイレンスをほかのユーザが変更中です。しばらくしてから再度お試しください";
    write_late: "there was no time left for it; try again", "時間切れのため実行していません。再度お試しください";
    write_disagree: "not all Alertmanagers of the cluster agree on it", "クラスタの Alertmanager の間で内容が一致していません";
}
