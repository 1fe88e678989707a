#include "cli/man.h"

#include <algorithm>

#include "cli/completion.h"
#include "cli/help.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

/// A text in roff: no escapes, no requests, plain hyphens.
std::string roff(std::string_view text) {
    std::string out;
    bool line_begins = true;
    for (const char c : text) {
        if (line_begins && (c == '.' || c == '\'')) {
            out += "\\&";
        }
        line_begins = c == '\n';
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out;
}

std::string title(std::string_view name) {
    std::string page(name);
    std::ranges::replace(page, ' ', '-');
    return page;
}

std::string options_section(std::string_view heading, std::span<const Option> options) {
    std::string out = fmt::format(".SH {}\n", heading);
    for (const Option& option : options) {
        out += ".TP\n";
        out += option.letter != 0 ? fmt::format("\\fB\\-{}\\fR, ", option.letter) : std::string();
        out += fmt::format("\\fB\\-\\-{}\\fR", roff(option.name));
        out += option.value.empty() ? "\n" : fmt::format(" \\fI{}\\fR\n", roff(option.value));
        out += roff(option.help);
        out +=
            option.fallback.empty() ? "\n" : fmt::format(" (default: {})\n", roff(option.fallback));
    }
    out += ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nprint the help and leave\n";
    return out;
}

std::string paragraphs(std::string_view text) {
    std::string out;
    for (const std::string_view line : split(text, '\n')) {
        if (line.empty()) {
            out += ".PP\n";
        } else if (line.front() == ' ') {
            out += fmt::format(".br\n{}\n", roff(line.substr(line.find_first_not_of(' '))));
        } else {
            out += roff(line) + "\n";
        }
    }
    return out;
}

std::string verbs_section(std::span<const Verb* const> verbs, std::string_view before) {
    std::string out = ".SH VERBS\n";
    for (const Verb* verb : verbs) {
        out += fmt::format(".TP\n\\fB{}\\fR(1)\n{}\n",
                           roff(title(fmt::format("{}-{}", before, verb->name))),
                           roff(verb->summary));
    }
    return out;
}

std::string head(std::string_view page, std::string_view summary) {
    return fmt::format(".TH {0} 1 \"\" \"knarr {1}\" \"knarr\"\n.SH NAME\n{0} \\- {2}\n",
                       roff(page),
                       roff(KNARR_VERSION),
                       roff(summary));
}

}  // namespace

std::string general_man() {
    std::string out = head("knarr", "run OCI containers");
    out +=
        ".SH SYNOPSIS\n\\fBknarr\\fR [\\fIglobal options\\fR] \\fIVERB\\fR [\\fIoptions\\fR] "
        "[\\fIarguments\\fR]\n.SH DESCRIPTION\n"
        "knarr runs OCI containers: from a bundle, spelled as runc and crun are, or from an image, "
        "spelled as docker and podman are.\n";
    out += options_section("GLOBAL OPTIONS", global_options());
    out += verbs_section(all_verbs(), "knarr");
    out +=
        ".SH EXIT STATUS\nThat of the program for \\fBrun\\fR and \\fBexec\\fR; 0 when it is done, "
        "125 when knarr fails to run an image, 126 and 127 when the program cannot be executed or "
        "is not there, 2 for wrong words.\n";
    return out;
}

std::string verb_man(const Verb& verb, std::string_view path) {
    const std::string page = title(fmt::format("knarr-{}", path));
    std::string out = head(page, verb.summary);
    out += ".SH SYNOPSIS\n";
    for (const std::string_view line : split(verb.synopsis, '\n')) {
        out += fmt::format("\\fBknarr {}\\fR {}\n.br\n", roff(path), roff(line));
    }
    out += ".SH DESCRIPTION\n" + paragraphs(verb.about);
    if (!verb.inner.empty()) {
        out += verbs_section(verb.inner, page);
    }
    out += options_section("OPTIONS", verb.options);
    out += fmt::format(".SH EXAMPLE\n{}\n.SH SEE ALSO\n\\fBknarr\\fR(1)\n", roff(verb.example));
    return out;
}

}  // namespace knarr::cli
