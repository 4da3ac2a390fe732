"""What rustc links into a static program besides its crates: Rust's own library, and musl, the C library that comes with it."""

import dataclasses
import html
import re
import subprocess
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Part:
    """Something with a version that is no crate; `notice` is the text of its licences."""

    name: str
    version: str
    licence: str
    cpe: str
    notice: str


def rustc(*arguments):
    return subprocess.run(["rustc", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def text_of(page):
    """An HTML page as text; what the tags did is done by lines and indentation already."""
    text = html.unescape(re.sub(r"<(title|style)\b.*?</\1>|<[^>]*>", "", page, flags=re.DOTALL))
    return re.sub(r"\s*\n\s*\n\s*\n+", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()


def parts(root, target):
    """The library's notices are in rustc's distribution, musl's are not."""
    sysroot = Path(rustc("--print=sysroot").strip())
    notices = sysroot / "share/doc/rust/COPYRIGHT-library.html"
    if not notices.exists():
        raise FileNotFoundError(f"{notices}, the notices of Rust's library: build with a rustc of rustup, whose distribution has them")
    release = re.search(r"^release: (.*)$", rustc("--version", "--verbose"), re.M).group(1)
    library = sysroot / "lib/rustlib" / target / "lib/self-contained/libc.a"
    version = subprocess.run(["ar", "p", library, "version.lo"], check=True, stdout=subprocess.PIPE).stdout
    musl = re.search(rb"\0(\d+\.\d+\.\d+)\0", version).group(1).decode()
    return [
        Part("rust-std", release, "MIT OR Apache-2.0", f"cpe:2.3:a:rust-lang:rust:{release}:*:*:*:*:*:*:*", text_of(notices.read_text())),
        Part("musl", musl, "MIT", f"cpe:2.3:a:musl-libc:musl:{musl}:*:*:*:*:*:*:*", (root / "packaging/licences/musl").read_text()),
    ]
