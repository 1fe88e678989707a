#include "cli/completion.h"

#include <algorithm>

#include "cli/help.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::string_view kListContainers =
    "knarr ps -a --no-trunc --format '{{.ID}} {{.Names}}' 2>/dev/null";
constexpr std::string_view kListImages =
    "knarr images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null";

void add_paths(std::span<const Verb* const> verbs,
               const std::string& before,
               std::vector<VerbPath>& out) {
    for (const Verb* verb : verbs) {
        std::vector<std::string_view> names{verb->name};
        names.insert(names.end(), verb->aliases.begin(), verb->aliases.end());
        for (const std::string_view name : names) {
            const std::string path = before + std::string(name);
            out.push_back({path, verb});
            add_paths(verb->inner, path + " ", out);
        }
    }
}

std::string option_words(std::span<const Option> options) {
    std::string out = "--help";
    for (const Option& option : options) {
        out += fmt::format(" --{}", option.name);
        if (option.letter != 0) {
            out += fmt::format(" -{}", option.letter);
        }
    }
    return out;
}

std::string inner_words(std::span<const Verb* const> verbs) {
    std::string out;
    for (const VerbPath& one : verb_paths(verbs)) {
        if (one.path.find(' ') == std::string::npos) {
            out += (out.empty() ? "" : " ") + one.path;
        }
    }
    return out;
}

/// The global options that take a value: the word after one is no verb.
std::string value_options(std::string_view separator) {
    std::string out;
    for (const Option& option : global_options()) {
        if (!option.value.empty()) {
            out += fmt::format("{}--{}", out.empty() ? "" : separator, option.name);
        }
    }
    return out;
}

std::string_view kind_name(ArgumentKind kind) {
    constexpr std::array<std::string_view, 4> kNames{"files", "containers", "images", "verbs"};
    return kNames[static_cast<std::size_t>(kind)];
}

/// For a text between single quotes of a shell.
std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c == '\n' ? ' ' : c;
        }
    }
    return out + "'";
}

/// The words before the cursor to a path of verbs, in bash and zsh; `words` and `last` differ.
std::string find_path(std::string_view words, std::string_view first, std::string_view last) {
    std::string paths;
    for (const VerbPath& one : verb_paths(all_verbs())) {
        paths += (paths.empty() ? "" : "|") + quoted(one.path);
    }
    return fmt::format(
        "    local path='' try word skip='' i\n"
        "    for ((i = {}; i < {}; i++)); do\n"
        "        word=\"${{{}[i]}}\"\n"
        "        if [[ -n $skip ]]; then skip=''; continue; fi\n"
        "        case \"$word\" in\n"
        "            {}) [[ -z $path ]] && skip=1; continue;;\n"
        "            -*) continue;;\n"
        "        esac\n"
        "        try=\"${{path:+$path }}$word\"\n"
        "        case \"$try\" in\n"
        "            {}) path=\"$try\";;\n"
        "            *) break;;\n"
        "        esac\n"
        "    done\n",
        first,
        last,
        words,
        value_options("|"),
        paths);
}

}  // namespace

std::vector<VerbPath> verb_paths(std::span<const Verb* const> verbs) {
    std::vector<VerbPath> out;
    add_paths(verbs, "", out);
    return out;
}

ArgumentKind arguments_of(const Verb& verb) {
    if (!verb.inner.empty()) {
        return ArgumentKind::verbs;
    }
    for (const std::string_view line : split(verb.synopsis, '\n')) {
        for (const std::string_view word : split(line, ' ')) {
            if (word == "IMAGE" || word == "IMAGE..." || word == "[IMAGE..." || word == "NAME...") {
                return ArgumentKind::images;
            }
            if (word == "ID" || word == "ID..." || word == "[ID]" || word == "[ID...]") {
                return ArgumentKind::containers;
            }
        }
    }
    return ArgumentKind::files;
}

std::string bash_completion() {
    std::string out =
        "# bash completion for knarr; made by knarr completion bash\n"
        "_knarr() {\n"
        "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" options='' kind=files inner=''\n";
    out += find_path("COMP_WORDS", "1", "COMP_CWORD");
    out += "    case \"$path\" in\n";
    out += fmt::format("        '') options={} inner={} kind=verbs;;\n",
                       quoted(option_words(global_options())),
                       quoted(inner_words(all_verbs())));
    for (const VerbPath& one : verb_paths(all_verbs())) {
        out += fmt::format("        {}) options={} inner={} kind={};;\n",
                           quoted(one.path),
                           quoted(option_words(one.verb->options)),
                           quoted(inner_words(one.verb->inner)),
                           kind_name(arguments_of(*one.verb)));
    }
    out += fmt::format(
        "    esac\n"
        "    COMPREPLY=()\n"
        "    if [[ $cur == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
        "        return\n"
        "    fi\n"
        "    case $kind in\n"
        "        verbs) COMPREPLY=($(compgen -W \"$inner\" -- \"$cur\"));;\n"
        "        containers) COMPREPLY=($(compgen -W \"$({})\" -- \"$cur\"));;\n"
        "        images) COMPREPLY=($(compgen -W \"$({})\" -- \"$cur\"));;\n"
        "    esac\n"
        "}}\n"
        "complete -o default -F _knarr knarr\n",
        kListContainers,
        kListImages);
    return out;
}

std::string zsh_completion() {
    std::string out =
        "#compdef knarr\n"
        "# zsh completion for knarr; made by knarr completion zsh\n"
        "_knarr() {\n"
        "    local -a options inner\n"
        "    local kind=files\n";
    out += find_path("words", "2", "CURRENT");
    out += "    case \"$path\" in\n";
    const auto described = [](std::span<const Option> options) {
        std::string list = "'--help:print help and leave'";
        for (const Option& option : options) {
            std::string help(option.help);
            list += " " + quoted(fmt::format("--{}:{}", option.name, help));
            if (option.letter != 0) {
                list += " " + quoted(fmt::format("-{}:{}", option.letter, help));
            }
        }
        return list;
    };
    const auto verbs = [](std::span<const Verb* const> all) {
        std::string list;
        for (const VerbPath& one : verb_paths(all)) {
            if (one.path.find(' ') == std::string::npos) {
                list += " " + quoted(fmt::format("{}:{}", one.path, one.verb->summary));
            }
        }
        return list;
    };
    out += fmt::format("        '') options=({}) inner=({}) kind=verbs;;\n",
                       described(global_options()),
                       verbs(all_verbs()));
    for (const VerbPath& one : verb_paths(all_verbs())) {
        out += fmt::format("        {}) options=({}) inner=({}) kind={};;\n",
                           quoted(one.path),
                           described(one.verb->options),
                           verbs(one.verb->inner),
                           kind_name(arguments_of(*one.verb)));
    }
    out += fmt::format(
        "    esac\n"
        "    if [[ ${{words[CURRENT]}} == -* ]]; then\n"
        "        _describe -o option options\n"
        "        return\n"
        "    fi\n"
        "    case $kind in\n"
        "        verbs) _describe verb inner;;\n"
        "        containers) compadd -- ${{=\"$({})\"}};;\n"
        "        images) compadd -- ${{=\"$({})\"}};;\n"
        "        *) _files;;\n"
        "    esac\n"
        "}}\n"
        "if [ \"$funcstack[1]\" = _knarr ]; then _knarr \"$@\"; else compdef _knarr knarr; fi\n",
        kListContainers,
        kListImages);
    return out;
}

std::string fish_completion() {
    std::string out =
        "# fish completion for knarr; made by knarr completion fish\n"
        "function __knarr_path\n"
        "    set -l path\n"
        "    set -l skip 0\n"
        "    for word in (commandline -opc)[2..-1]\n"
        "        if test $skip = 1\n"
        "            set skip 0\n"
        "            continue\n"
        "        end\n"
        "        switch $word\n";
    out += fmt::format(
        "            case {}\n"
        "                test -z \"$path\"; and set skip 1\n"
        "            case '-*'\n"
        "            case '*'\n"
        "                set path $path $word\n"
        "        end\n"
        "    end\n"
        "    echo \"$path\"\n"
        "end\n"
        "function __knarr_at\n"
        "    set -l path (__knarr_path)\n"
        "    test \"$path\" = \"$argv\"; or string match -q -- \"$argv *\" \"$path\"\n"
        "end\n",
        value_options(" "));
    const auto add_options = [&](const std::string& when, std::span<const Option> options) {
        for (const Option& option : options) {
            out += fmt::format("complete -c knarr -n {} -l {}", quoted(when), option.name);
            out += option.letter != 0 ? fmt::format(" -s {}", option.letter) : std::string();
            out += option.value.empty() ? "" : " -r";
            out += fmt::format(" -d {}\n", quoted(option.help));
        }
    };
    add_options("test -z (__knarr_path)", global_options());
    for (const VerbPath& one : verb_paths(all_verbs())) {
        const std::size_t space = one.path.rfind(' ');
        const std::string before =
            space == std::string::npos ? std::string() : one.path.substr(0, space);
        out += fmt::format("complete -c knarr -f -n {} -a {} -d {}\n",
                           quoted(fmt::format("test (__knarr_path) = '{}'", before)),
                           one.path.substr(space == std::string::npos ? 0 : space + 1),
                           quoted(one.verb->summary));
        const std::string at = fmt::format("__knarr_at {}", one.path);
        add_options(at, one.verb->options);
        const ArgumentKind kind = arguments_of(*one.verb);
        if (kind == ArgumentKind::containers || kind == ArgumentKind::images) {
            const bool images = kind == ArgumentKind::images;
            out += fmt::format("complete -c knarr -f -n {} -a {}\n",
                               quoted(at),
                               quoted(fmt::format("({} | string split ' ')",
                                                  images ? kListImages : kListContainers)));
        }
    }
    return out;
}

namespace {

Result<int> run_completion(Context&, const Parsed& args) {
    const std::string_view shell = KNARR_TRY(one_argument(args, "shell (bash, zsh or fish)"));
    if (shell == "bash") {
        KNARR_TRY(print(bash_completion()));
    } else if (shell == "zsh") {
        KNARR_TRY(print(zsh_completion()));
    } else if (shell == "fish") {
        KNARR_TRY(print(fish_completion()));
    } else {
        return fail(Errc::invalid_argument,
                    "there is no completion for \"{}\": bash, zsh and fish are known",
                    printable(shell));
    }
    return 0;
}

}  // namespace

constexpr Verb kCompletion{
    .name = "completion",
    .synopsis = "bash|zsh|fish",
    .summary = "print what makes a shell complete knarr's words",
    .about =
        "Prints a script with all verbs and options, and what asks knarr for the containers and\n"
        "images that there are. Where it belongs:\n"
        "  bash  /usr/share/bash-completion/completions/knarr, or source <(knarr completion bash)\n"
        "  zsh   _knarr in a directory of $fpath\n"
        "  fish  ~/.config/fish/completions/knarr.fish",
    .example = "source <(knarr completion bash)",
    .run = run_completion,
};

}  // namespace knarr::cli
