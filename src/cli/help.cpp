#include "cli/help.h"

#include <algorithm>
#include <array>

#include "cli/unbuilt.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::array kGlobalOptions{
    Option{.name = "root",
           .value = "DIR",
           .help = "where containers' states live; env KNARR_ROOT",
           .fallback = "/run/knarr; a user's XDG_RUNTIME_DIR/knarr"},
    Option{.name = "data-root",
           .value = "DIR",
           .help = "where images and containers' files live; env KNARR_DATA_ROOT",
           .fallback = "/var/lib/knarr; a user's ~/.local/share/knarr"},
    Option{.name = "policy",
           .value = "NAME",
           .help = "bounds on images and memory: default or strict; env KNARR_POLICY",
           .fallback = "default"},
    Option{.name = "snapshot-driver",
           .value = "DRIVER",
           .help = "the form in which layers are kept: erofs or dir; env KNARR_SNAPSHOT_DRIVER",
           .fallback = "erofs where its files can be mounted, else dir"},
    Option{.name = "log",
           .value = "FILE",
           .help =
               "append errors and warnings to FILE, those of monitors that are started, too; env "
               "KNARR_LOG, and KNARR_MONITOR_LOG for the monitors"},
    Option{.name = "log-format",
           .value = "FORMAT",
           .help = "of the log file: text or json; env KNARR_LOG_FORMAT",
           .fallback = "text"},
    Option{.name = "log-level",
           .letter = 'l',
           .value = "LEVEL",
           .help = "error (no warnings), warning, info or debug; env KNARR_LOG_LEVEL",
           .fallback = "warning"},
    Option{.name = "config",
           .value = "DIR",
           .help = "docker's: logins are in DIR/config.json; env DOCKER_CONFIG",
           .fallback = "~/.docker, and containers' auth.json before it"},
    Option{
        .name = "debug", .letter = 'D', .help = "say more, in the log file or on standard error"},
    Option{.name = "cgroup-manager",
           .value = "MANAGER",
           .help = "who makes cgroups: cgroupfs, systemd or disabled",
           .fallback = "cgroupfs"},
    Option{.name = "systemd-cgroup", .help = "the same as --cgroup-manager systemd"},
    Option{.name = "rootless",
           .value = "BOOL",
           .help = "whether the caller is less than the host's root: cgroups only where they "
                   "are delegated, states in the user's place; auto, true or false",
           .fallback = "auto"},
    Option{.name = "host",
           .letter = 'H',
           .value = "SOCKET",
           .help = "docker's; of unix://... no effect, for there is no daemon"},
    Option{.name = "context", .letter = 'c', .value = "NAME", .help = "docker's; default alone"},
    Option{.name = "tls", .help = "docker's, as the four below; no effect"},
    Option{.name = "tlscacert", .value = "FILE", .help = "no effect: there is no daemon"},
    Option{.name = "tlscert", .value = "FILE", .help = "no effect"},
    Option{.name = "tlskey", .value = "FILE", .help = "no effect"},
    Option{.name = "tlsverify", .help = "no effect"},
    Option{.name = "version", .letter = 'v', .help = "print the version and leave"},
};

std::string option_list(std::span<const Option> options) {
    std::vector<std::pair<std::string, std::string>> rows;
    std::size_t width = 0;
    const auto add = [&](std::string left, std::string right) {
        width = std::max(width, left.size());
        rows.emplace_back(std::move(left), std::move(right));
    };
    for (const Option& option : options) {
        std::string left = option.letter != 0 ? fmt::format("-{}, ", option.letter) : "    ";
        left += fmt::format("--{}{}{}", option.name, option.value.empty() ? "" : " ", option.value);
        std::string right(option.help);
        if (!option.fallback.empty()) {
            right += fmt::format(" (default: {})", option.fallback);
        }
        add(std::move(left), std::move(right));
    }
    add("-h, --help", "print this text and leave");
    std::string out;
    for (const auto& [left, right] : rows) {
        out += fmt::format("  {:<{}}  {}\n", left, width, right);
    }
    return out;
}

std::string verb_list(std::span<const Verb* const> verbs) {
    std::vector<std::string> lefts;
    std::size_t width = 0;
    for (const Verb* verb : verbs) {
        std::string left(verb->name);
        for (const std::string_view alias : verb->aliases) {
            left += ", ";
            left += alias;
        }
        width = std::max(width, left.size());
        lefts.push_back(std::move(left));
    }
    std::string out;
    for (std::size_t i = 0; i < verbs.size(); ++i) {
        out += fmt::format("  {:<{}}  {}\n", lefts[i], width, verbs[i]->summary);
    }
    return out;
}

}  // namespace

std::span<const Option> global_options() {
    return kGlobalOptions;
}

std::string general_help() {
    std::string out =
        "usage: knarr [global options] VERB [options] [arguments]\n"
        "\n"
        "knarr runs OCI containers: from a bundle, spelled as runc and crun are, or from an "
        "image,\n"
        "spelled as docker and podman are.\n"
        "\n"
        "verbs (knarr VERB --help says more):\n";
    out += verb_list(all_verbs());
    out += "\nglobal options:\n";
    out += option_list(kGlobalOptions);
    out +=
        "\n"
        "example:\n"
        "  knarr run --rm docker.io/library/busybox echo hello\n";
    return out;
}

std::string verb_help(const Verb& verb, std::string_view path) {
    std::string out;
    for (const std::string_view line : split(verb.synopsis, '\n')) {
        out += fmt::format("{} knarr {}{}{}\n",
                           out.empty() ? "usage:" : "      ",
                           path,
                           line.empty() ? "" : " ",
                           line);
    }
    out += fmt::format("\n{}\n", verb.about);
    if (!verb.aliases.empty()) {
        out += "\nalso spelled:";
        for (const std::string_view alias : verb.aliases) {
            out += fmt::format(" {}", alias);
        }
        out += '\n';
    }
    if (!verb.inner.empty()) {
        out += "\nverbs:\n" + verb_list(verb.inner);
    }
    out += "\noptions:\n" + option_list(verb.options);
    out += fmt::format("\nexample:\n  {}\n", verb.example);
    return out;
}

const Verb* find_verb(std::span<const Verb* const> verbs, std::string_view name) {
    for (const Verb* verb : verbs) {
        if (verb->name == name ||
            std::find(verb->aliases.begin(), verb->aliases.end(), name) != verb->aliases.end()) {
            return verb;
        }
    }
    return nullptr;
}

Error unknown_verb(std::span<const Verb* const> verbs,
                   std::string_view name,
                   std::string_view before) {
    const std::string_view blank = before.empty() ? "" : " ";
    if (auto known = unbuilt_verb(fmt::format("{}{}{}", before, blank, name))) {
        return *std::move(known);
    }
    std::vector<std::string_view> names;
    for (const Verb* verb : verbs) {
        names.push_back(verb->name);
        names.insert(names.end(), verb->aliases.begin(), verb->aliases.end());
    }
    const auto near = nearest(name, names);
    return Error{.code = Errc::invalid_argument,
                 .message = fmt::format("unknown verb \"{}\"", printable(name)),
                 .hint = near ? fmt::format("did you mean {}?", *near)
                              : std::string("knarr --help shows the verbs")};
}

}  // namespace knarr::cli
