#pragma once
// The option parser: small, strict, and without the traps of getopt_long (no abbreviations, no
// reordering of what belongs to the container's command).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knarr/result.h"

namespace knarr::cli {

/// One option of a verb, as a row of its table.
struct Option {
    std::string_view name;           // "bundle", without dashes
    char letter = 0;                 // 'b', 0: none
    std::string_view value = {};     // what help calls the value, "DIR"; empty: a flag
    std::string_view help = {};      // one line
    std::string_view fallback = {};  // the default that help shows; empty: none
    bool repeatable = false;         // may be given more than once; others refuse a second time
};

/// What a command line was split into. The texts live as long as the arguments given to parse().
class Parsed {
public:
    bool has(std::string_view name) const;
    /// True when a flag was given and not as `--flag=false`.
    bool flag(std::string_view name) const;
    std::string_view get(std::string_view name, std::string_view fallback = {}) const;
    std::optional<std::string_view> find(std::string_view name) const;
    std::vector<std::string_view> all(std::string_view name) const;
    /// A whole number. Errors: invalid_argument naming the option and the largest value.
    Result<std::optional<std::uint64_t>> number(std::string_view name, std::uint64_t max) const;

    /// Adds what stood behind; its positionals are left alone.
    void add_options(const Parsed& behind);

    std::vector<std::string_view> positionals;
    bool help = false;  // -h or --help was given

private:
    friend Result<Parsed> parse(std::span<const Option>,
                                std::span<const std::string_view>,
                                struct ParseRules);
    std::vector<std::pair<const Option*, std::string_view>> given_;
};

/// An option of docker's or podman's that a verb does not have, and why.
struct RefusedOption {
    std::string_view name;
    char letter = 0;
    std::string_view why = {};
    std::string_view instead = {};  // what does it here; empty: nothing does
};

struct ParseRules {
    /// After so many positionals everything is positional: what follows IMAGE is the container's.
    std::size_t options_until = SIZE_MAX;
    /// Options that are told apart from those that nobody knows: unsupported, with the reason.
    std::span<const RefusedOption> refused = {};
};

/// Splits `args` by `options`. Understands --name VALUE, --name=VALUE, --flag, --flag=false,
/// -x VALUE, -xVALUE, -abc and "--" (everything after it is positional). -h and --help are always
/// known and end the parse.
/// Errors: invalid_argument for an unknown option (with the nearest known one as hint), a missing
/// or unwanted value, an option given twice.
Result<Parsed> parse(std::span<const Option> options,
                     std::span<const std::string_view> args,
                     ParseRules rules = {});

/// The name of `known` that is nearest to `text` by edits, if it is near enough to be meant.
std::optional<std::string_view> nearest(std::string_view text,
                                        std::span<const std::string_view> known);

}  // namespace knarr::cli
