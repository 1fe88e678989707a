#include "cli/options.h"

#include <algorithm>
#include <numeric>

#include "core/text.h"

namespace knarr::cli {

namespace {

const Option* by_name(std::span<const Option> options, std::string_view name) {
    const auto at = std::find_if(
        options.begin(), options.end(), [&](const Option& o) { return o.name == name; });
    return at == options.end() ? nullptr : &*at;
}

const Option* by_letter(std::span<const Option> options, char letter) {
    const auto at = std::find_if(
        options.begin(), options.end(), [&](const Option& o) { return o.letter == letter; });
    return letter == 0 || at == options.end() ? nullptr : &*at;
}

std::unexpected<Error> unknown(std::span<const Option> options,
                               std::string_view spelled,
                               std::string_view name) {
    std::vector<std::string_view> names;
    for (const Option& option : options) {
        names.push_back(option.name);
    }
    Error error = fail(Errc::invalid_argument, "unknown option {}", printable(spelled)).error();
    if (const auto near = nearest(name, names)) {
        error.hint = fmt::format("did you mean --{}?", *near);
    }
    return fail(std::move(error));
}

/// Letters that are missing, too many, others, or two in each other's place.
std::size_t edits(std::string_view a, std::string_view b) {
    std::vector<std::size_t> older(b.size() + 1);
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        older.swap(before);
        before.swap(row);
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            row[j + 1] =
                std::min({before[j + 1] + 1, row[j] + 1, before[j] + (a[i] == b[j] ? 0U : 1U)});
            if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j]) {
                row[j + 1] = std::min(row[j + 1], older[j - 1] + 1);
            }
        }
    }
    return row[b.size()];
}

}  // namespace

void Parsed::add_options(const Parsed& behind) {
    given_.insert(given_.end(), behind.given_.begin(), behind.given_.end());
    help = help || behind.help;
}

std::optional<std::string_view> nearest(std::string_view text,
                                        std::span<const std::string_view> known) {
    text = text.substr(0, 64);  // longer is no typing error, and edits() is quadratic
    std::optional<std::string_view> best;
    std::size_t least = std::max<std::size_t>(text.size() / 3, 1) + 1;
    for (const std::string_view name : known) {
        if (text.size() >= 3 && name.starts_with(text)) {
            return name;
        }
        if (const std::size_t distance = edits(text, name); distance < least) {
            least = distance;
            best = name;
        }
    }
    return best;
}

namespace {

/// The state of one parse: where we are in the arguments.
struct Cursor {
    std::span<const Option> options;
    std::span<const std::string_view> args;
    std::span<const RefusedOption> refused = {};
    std::size_t at = 0;
    std::vector<std::pair<const Option*, std::string_view>> given = {};
    bool help = false;

    /// Of one that has a single value the last counts, as with docker, podman and runc.
    void add(const Option& option, std::string_view value) {
        if (!option.repeatable) {
            std::erase_if(given, [&](const auto& one) { return one.first == &option; });
        }
        given.emplace_back(&option, value);
    }

    Result<std::string_view> next_value(const Option& option, std::string_view spelled) {
        if (at >= args.size()) {
            return fail(Errc::invalid_argument,
                        "option {} needs a value: {}",
                        printable(spelled),
                        option.value);
        }
        return args[at++];
    }

    static std::unexpected<Error> refuse(const RefusedOption& option, std::string_view spelled) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("option {}: {}", printable(spelled), option.why),
                          .hint = std::string(option.instead)});
    }

    std::unexpected<Error> unknown_long(std::string_view spelled, std::string_view name) const {
        const auto why = std::ranges::find(refused, name, &RefusedOption::name);
        return why != refused.end() ? refuse(*why, spelled) : unknown(options, spelled, name);
    }

    Result<> take_long(std::string_view arg) {
        const std::size_t equals = arg.find('=');
        const std::string_view spelled = arg.substr(0, equals);
        const std::string_view name = spelled.substr(2);
        if (name == "help") {
            help = true;
            return {};
        }
        const Option* option = by_name(options, name);
        if (option == nullptr) {
            return unknown_long(spelled, name);
        }
        if (equals == std::string_view::npos) {
            const std::string_view value =
                option->value.empty() ? "true" : KNARR_TRY(next_value(*option, spelled));
            add(*option, value);
            return {};
        }
        const std::string_view value = arg.substr(equals + 1);
        if (option->value.empty() && value != "true" && value != "false") {
            return fail(Errc::invalid_argument,
                        "option {} is true or false, not \"{}\"",
                        printable(spelled),
                        printable(value));
        }
        add(*option, value);
        return {};
    }

    Result<> take_letters(std::string_view arg) {
        for (std::size_t i = 1; i < arg.size() && !help; ++i) {
            const std::string spelled{'-', arg[i]};
            const Option* option = by_letter(options, arg[i]);
            // docker's -h NAME is a host name; alone it asks for help, as everywhere.
            const bool alone = at >= args.size() && arg.size() == 2;
            if (arg[i] == 'h' && (option == nullptr || (!option->value.empty() && alone))) {
                help = true;
                return {};
            }
            if (option == nullptr) {
                const auto why = std::ranges::find(refused, arg[i], &RefusedOption::letter);
                return why != refused.end()
                           ? refuse(*why, spelled)
                           : unknown(
                                 options, i == 1 ? arg : std::string_view(spelled), arg.substr(1));
            }
            if (const std::string_view rest = arg.substr(i + 1);
                option->value.empty() && (rest == "=true" || rest == "=false")) {
                add(*option, rest.substr(1));  // as docker takes it
                return {};
            }
            if (option->value.empty()) {
                add(*option, "true");
                continue;
            }
            std::string_view rest = arg.substr(i + 1);
            if (rest.starts_with('=')) {
                rest.remove_prefix(1);
            } else if (rest.empty()) {
                rest = KNARR_TRY(next_value(*option, spelled));
            }
            add(*option, rest);
            return {};
        }
        return {};
    }
};

}  // namespace

Result<Parsed> parse(std::span<const Option> options,
                     std::span<const std::string_view> args,
                     ParseRules rules) {
    Parsed out;
    Cursor cursor{.options = options, .args = args, .refused = rules.refused};
    bool only_positionals = rules.options_until == 0;
    while (cursor.at < args.size() && !cursor.help) {
        const std::string_view arg = args[cursor.at++];
        if (only_positionals || arg.size() < 2 || arg.front() != '-') {
            out.positionals.push_back(arg);
            only_positionals = only_positionals || out.positionals.size() >= rules.options_until;
        } else if (arg == "--") {
            only_positionals = true;
        } else if (arg.starts_with("--")) {
            KNARR_TRY(cursor.take_long(arg));
        } else {
            KNARR_TRY(cursor.take_letters(arg));
        }
    }
    out.help = cursor.help;
    out.given_ = std::move(cursor.given);
    return out;
}

std::optional<std::string_view> Parsed::find(std::string_view name) const {
    std::optional<std::string_view> found;
    for (const auto& [option, value] : given_) {
        if (option->name == name) {
            found = value;
        }
    }
    return found;
}

bool Parsed::has(std::string_view name) const {
    return find(name).has_value();
}

bool Parsed::flag(std::string_view name) const {
    return find(name) == "true";
}

std::string_view Parsed::get(std::string_view name, std::string_view fallback) const {
    return find(name).value_or(fallback);
}

std::vector<std::string_view> Parsed::all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [option, value] : given_) {
        if (option->name == name) {
            values.push_back(value);
        }
    }
    return values;
}

Result<std::optional<std::uint64_t>> Parsed::number(std::string_view name,
                                                    std::uint64_t max) const {
    const auto text = find(name);
    if (!text) {
        return std::nullopt;
    }
    const auto value = parse_number(*text, max);
    if (!value) {
        return fail(Errc::invalid_argument,
                    "option --{}: \"{}\" is not a whole number from 0 to {}",
                    name,
                    printable(*text),
                    max);
    }
    return value;
}

}  // namespace knarr::cli
