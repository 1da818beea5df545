"""What does Notion call the language of a code block?"""

from typing import Final

PLAIN_TEXT: Final = "plain text"

_NAMES: Final = (
    "abap,abc,agda,arduino,ascii art,assembly,bash,basic,bnf,c,c#,c++,clojure,coffeescript,coq,css,dart,dhall,diff,"
    "docker,ebnf,elixir,elm,erlang,f#,flow,fortran,gherkin,glsl,go,graphql,groovy,haskell,hcl,html,idris,java,"
    "java/c/c++/c#,javascript,json,julia,kotlin,latex,less,lisp,livescript,llvm ir,lua,makefile,markdown,markup,"
    "mathematica,matlab,mermaid,nix,notion formula,objective-c,ocaml,pascal,perl,php,plain text,powershell,prolog,"
    "protobuf,purescript,python,r,racket,reason,ruby,rust,sass,scala,scheme,scss,shell,smalltalk,solidity,sql,swift,"
    "toml,typescript,vb.net,verilog,vhdl,visual basic,webassembly,xml,yaml"
)
_KNOWN: Final = frozenset(_NAMES.split(","))

_ALIASES: Final = {
    "console": "shell",
    "cpp": "c++",
    "cs": "c#",
    "csharp": "c#",
    "dockerfile": "docker",
    "fsharp": "f#",
    "golang": "go",
    "hs": "haskell",
    "js": "javascript",
    "jsx": "javascript",
    "kt": "kotlin",
    "make": "makefile",
    "md": "markdown",
    "objc": "objective-c",
    "proto": "protobuf",
    "ps1": "powershell",
    "py": "python",
    "python3": "python",
    "rb": "ruby",
    "rs": "rust",
    "sh": "shell",
    "tex": "latex",
    "ts": "typescript",
    "tsx": "typescript",
    "wasm": "webassembly",
    "yml": "yaml",
    "zsh": "shell",
}


def language_of(info: str) -> str:
    """Return the language a code fence's *info* names, `plain text` if Notion does not know it."""
    words = info.split()
    name = words[0].lower() if words else ""
    name = _ALIASES.get(name, name)
    return name if name in _KNOWN else PLAIN_TEXT
