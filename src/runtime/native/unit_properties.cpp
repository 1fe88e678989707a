// linux.resources, and annotations, as properties of a unit.
// Source: systemd.resource-control(5), org.freedesktop.systemd1(5); runc docs/systemd.md.

#include <algorithm>
#include <array>
#include <limits>

#include "core/text.h"
#include "runtime/native/cgroup_plan.h"
#include "runtime/native/number_set.h"
#include "runtime/native/systemd_unit.h"

namespace knarr::runtime::native {

namespace {

using rpc::UnitProperty;

constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kSecondUs = 1'000'000;
constexpr std::uint64_t kPercentUs = 10'000;  // systemd counts whole percents of a CPU

class Properties {
public:
    void add(const char* name, rpc::dbus::Value value) {
        std::erase_if(all_, [&](const UnitProperty& had) { return had.name == name; });
        all_.push_back({.name = name, .value = std::move(value), .also_in_files = true});
    }
    /// -1 is no limit, as everywhere in the specification; 0 is "not said" for most.
    void add_limit(const char* name, std::int64_t value) {
        add(name, value < 0 ? kInfinity : static_cast<std::uint64_t>(value));
    }
    void add_quota(std::int64_t quota, std::uint64_t period) {
        if (period != 0) {
            add("CPUQuotaPeriodUSec", period);
        }
        if (quota == 0 && period == 0) {
            return;
        }
        std::uint64_t per_second = kInfinity;
        if (quota > 0) {
            // In floating point, because a hostile quota times a million is no 64-bit number; the
            // file cpu.max has the exact one.
            const double exact = static_cast<double>(quota) * kSecondUs /
                                 static_cast<double>(period == 0 ? 100'000 : period);
            per_second = exact >= 1e18 ? kInfinity : static_cast<std::uint64_t>(exact);
            if (per_second != kInfinity) {
                // Rounded up: a cgroup below must be able to have what was asked for.
                per_second = (per_second + kPercentUs - 1) / kPercentUs * kPercentUs;
            }
        }
        add("CPUQuotaPerSecUSec", per_second);
    }
    std::vector<UnitProperty> take() && { return std::move(all_); }

private:
    std::vector<UnitProperty> all_;
};

/// "0-3,7" as bits, CPU 0 the lowest of the first byte.
Result<rpc::dbus::Bytes> parse_set(std::string_view list, const char* property) {
    const auto words = parse_number_set(list, kMaxCpus);
    if (!words || words->empty()) {
        return fail(Errc::invalid_config,
                    "{}: \"{}\" is not a list of numbers below {}",
                    property,
                    printable(list),
                    kMaxCpus);
    }
    rpc::dbus::Bytes bytes;
    for (const std::uint64_t word : *words) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            bytes.push_back(static_cast<std::uint8_t>(word >> shift));
        }
    }
    while (bytes.back() == 0) {  // a list that is not empty has a bit
        bytes.pop_back();
    }
    return bytes;
}

void add_memory(const spec::MemoryLimits& memory, bool v2, Properties& out) {
    const std::int64_t limit = memory.limit.value_or(0);
    const std::int64_t swap = memory.swap.value_or(0);
    if (limit != 0) {
        out.add_limit(v2 ? "MemoryMax" : "MemoryLimit", limit);
    }
    if (v2 && memory.reservation.value_or(0) != 0) {
        out.add_limit("MemoryLow", *memory.reservation);
    }
    // The sum of both for the specification, swap alone for v2.
    if (v2 && (swap == -1 || (swap == 0 && limit == -1))) {
        out.add_limit("MemorySwapMax", -1);
    } else if (v2 && swap > 0 && limit > 0 && swap >= limit) {
        out.add_limit("MemorySwapMax", swap - limit);
    }
}

Result<> add_cpu(const spec::CpuLimits& cpu, bool v2, Properties& out) {
    if (cpu.shares.value_or(0) != 0) {
        out.add(v2 ? "CPUWeight" : "CPUShares", v2 ? weight_of_shares(*cpu.shares) : *cpu.shares);
    }
    out.add_quota(cpu.quota.value_or(0), cpu.period.value_or(0));
    if (v2 && !cpu.cpus.empty()) {
        out.add("AllowedCPUs", KNARR_TRY(parse_set(cpu.cpus, "linux.resources.cpu.cpus")));
    }
    if (v2 && !cpu.mems.empty()) {
        out.add("AllowedMemoryNodes", KNARR_TRY(parse_set(cpu.mems, "linux.resources.cpu.mems")));
    }
    return {};
}

/// "max" or a number.
Result<std::uint64_t> limit_of(std::string_view text, const std::string& property) {
    if (text == "max") {
        return kInfinity;
    }
    const auto number = parse_number(text, kInfinity);
    if (!number) {
        return fail(Errc::invalid_config,
                    "{}: \"{}\" is neither a number nor max",
                    property,
                    printable(text));
    }
    return *number;
}

/// Files of linux.resources.unified that are properties too; the others are files alone.
Result<> add_unified(const std::string& file, const std::string& text, Properties& out) {
    struct Limit {
        std::string_view file;
        const char* property;
    };
    constexpr std::array kLimits{Limit{"memory.min", "MemoryMin"},
                                 Limit{"memory.low", "MemoryLow"},
                                 Limit{"memory.high", "MemoryHigh"},
                                 Limit{"memory.max", "MemoryMax"},
                                 Limit{"memory.swap.max", "MemorySwapMax"},
                                 Limit{"pids.max", "TasksMax"},
                                 Limit{"cpu.weight", "CPUWeight"}};
    const std::string property = fmt::format("linux.resources.unified[\"{}\"]", printable(file));
    if (const auto* known = std::ranges::find(kLimits, file, &Limit::file);
        known != kLimits.end()) {
        out.add(known->property, KNARR_TRY(limit_of(text, property)));
    } else if (file == "cpuset.cpus" && !text.empty()) {
        out.add("AllowedCPUs", KNARR_TRY(parse_set(text, property.c_str())));
    } else if (file == "cpuset.mems" && !text.empty()) {
        out.add("AllowedMemoryNodes", KNARR_TRY(parse_set(text, property.c_str())));
    } else if (file == "cpu.max") {
        const auto parts = split(text, ' ');
        const std::uint64_t quota = KNARR_TRY(limit_of(parts.front(), property));
        const std::uint64_t period =
            parts.size() > 1 ? KNARR_TRY(limit_of(parts[1], property)) : 100'000;
        out.add_quota(quota > std::numeric_limits<std::int64_t>::max()
                          ? -1
                          : static_cast<std::int64_t>(quota),
                      period);
    }
    return {};
}

enum class Type : std::uint8_t { boolean, number32, number64, text, texts };

struct Allowed {
    std::string_view name;
    Type type = Type::text;
};
/// What a bundle may say about its unit: how it ends, when, and how much it may use. Nothing that
/// runs a program, starts, stops or needs another unit, or changes what others see.
constexpr std::array kAllowed{
    Allowed{"After", Type::texts},
    Allowed{"Before", Type::texts},
    Allowed{"CPUAccounting", Type::boolean},
    Allowed{"CPUQuotaPerSecUSec", Type::number64},
    Allowed{"CPUQuotaPeriodUSec", Type::number64},
    Allowed{"CPUWeight", Type::number64},
    Allowed{"CollectMode", Type::text},
    Allowed{"Documentation", Type::texts},
    Allowed{"FinalKillSignal", Type::number32},
    Allowed{"IOAccounting", Type::boolean},
    Allowed{"IOWeight", Type::number64},
    Allowed{"KillMode", Type::text},
    Allowed{"KillSignal", Type::number32},
    Allowed{"ManagedOOMMemoryPressure", Type::text},
    Allowed{"ManagedOOMPreference", Type::text},
    Allowed{"ManagedOOMSwap", Type::text},
    Allowed{"MemoryAccounting", Type::boolean},
    Allowed{"MemoryHigh", Type::number64},
    Allowed{"MemoryLow", Type::number64},
    Allowed{"MemoryMax", Type::number64},
    Allowed{"MemoryMin", Type::number64},
    Allowed{"MemorySwapMax", Type::number64},
    Allowed{"OOMPolicy", Type::text},
    Allowed{"RuntimeMaxUSec", Type::number64},
    Allowed{"SendSIGHUP", Type::boolean},
    Allowed{"SendSIGKILL", Type::boolean},
    Allowed{"TasksAccounting", Type::boolean},
    Allowed{"TasksMax", Type::number64},
    Allowed{"TimeoutStopUSec", Type::number64},
};

/// A string of GVariant's text form, 'a' or "a", from the front of `rest`. Escapes are refused: no
/// value of an allowed property needs one.
std::optional<std::string> take_quoted(std::string_view& rest) {
    const char quote = rest.empty() ? '\0' : rest.front();
    const std::size_t end =
        quote == '\'' || quote == '"' ? rest.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view text = rest.substr(1, end - 1);
    if (text.find('\\') != std::string_view::npos ||
        std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
        return std::nullopt;
    }
    rest.remove_prefix(end + 1);
    return std::string(text);
}

std::optional<std::vector<std::string>> parse_texts(std::string_view rest) {
    std::vector<std::string> out;
    if (!rest.starts_with('[') || !rest.ends_with(']')) {
        return std::nullopt;
    }
    rest = rest.substr(1, rest.size() - 2);
    const auto skip_blanks = [&] {
        rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    };
    for (skip_blanks(); !rest.empty(); skip_blanks()) {
        if (!out.empty()) {
            if (!rest.starts_with(',')) {
                return std::nullopt;
            }
            rest.remove_prefix(1);
            skip_blanks();
        }
        auto one = take_quoted(rest);
        if (!one) {
            return std::nullopt;
        }
        out.push_back(std::move(*one));
    }
    return out;
}

/// "5", "int32 5", "uint64 5": the number alone counts, its type is the property's.
std::optional<std::uint64_t> parse_integer(std::string_view text) {
    for (const std::string_view type :
         {"int16 ", "uint16 ", "int32 ", "uint32 ", "int64 ", "uint64 "}) {
        if (text.starts_with(type)) {
            text.remove_prefix(type.size());
            break;
        }
    }
    return parse_number(text, kInfinity);
}

/// False: `text` is no value of that type.
bool parse_value(Type type, std::string_view text, rpc::dbus::Value& out) {
    switch (type) {
        case Type::boolean:
            out = text == "true";
            return text == "true" || text == "false";
        case Type::number32:
        case Type::number64: {
            const std::optional<std::uint64_t> number = parse_integer(text);
            if (type == Type::number32) {
                out = static_cast<std::int32_t>(number.value_or(0));
                return number && *number <= INT32_MAX;
            }
            out = number.value_or(0);
            return number.has_value();
        }
        case Type::text: {
            std::optional<std::string> one = take_quoted(text);
            out = one.value_or("");
            return one && text.empty();
        }
        case Type::texts: {
            std::optional<std::vector<std::string>> all = parse_texts(text);
            const bool is_list = all.has_value();
            if (is_list) {
                out = std::move(*all);
            }
            return is_list;
        }
    }
    return false;
}

const char* form_of(Type type) {
    switch (type) {
        case Type::boolean:
            return "true or false";
        case Type::number32:
        case Type::number64:
            return "a number, such as 'uint64 5'";
        case Type::text:
            return "a text in quotes, such as 'inactive-or-failed'";
        case Type::texts:
            return "a list of texts in quotes, such as ['a.service']";
    }
    return "";
}

}  // namespace

Result<std::vector<UnitProperty>> unit_properties(const spec::Resources& resources, bool v2) {
    Properties out;
    if (resources.memory) {
        add_memory(*resources.memory, v2, out);
    }
    if (resources.cpu) {
        KNARR_TRY(add_cpu(*resources.cpu, v2, out));
    }
    if (resources.pids_limit) {
        // 0 forbids every fork, and the first process is there anyway: see write_pids().
        out.add_limit("TasksMax", *resources.pids_limit == 0 ? 1 : *resources.pids_limit);
    }
    if (resources.block_io && resources.block_io->weight.value_or(0) != 0) {
        const std::uint64_t weight = *resources.block_io->weight;
        if (weight >= 10 && weight <= 1000) {  // others are refused with the cgroup's files
            out.add(v2 ? "IOWeight" : "BlockIOWeight", v2 ? io_weight_of(weight) : weight);
        }
    }
    if (v2) {
        for (const auto& [file, text] : resources.unified) {
            KNARR_TRY(add_unified(file, text, out));
        }
    }
    return std::move(out).take();
}

Result<UnitProperty> annotated_property(std::string_view name, std::string_view value) {
    // "TimeoutStopSec" is how unit files say it; over D-Bus it is microseconds.
    std::string real(name);
    const bool seconds = name.ends_with("Sec") && !name.ends_with("USec");
    if (seconds) {
        real = fmt::format("{}USec", name.substr(0, name.size() - 3));
    }
    const auto* allowed = std::ranges::find(kAllowed, real, &Allowed::name);
    if (allowed == kAllowed.end()) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = "a bundle may not set this property of its unit",
                          .hint = "leave the annotation out; those for limits, kill signals and "
                                  "timeouts can be set"});
    }
    UnitProperty out{.name = std::move(real), .value = {}};
    bool valid = parse_value(allowed->type, value, out.value);
    if (auto* number = std::get_if<std::uint64_t>(&out.value); valid && seconds) {
        valid = number != nullptr && *number <= kInfinity / kSecondUs;
        if (valid) {
            *number *= kSecondUs;
        }
    }
    if (!valid) {
        return fail(Errc::invalid_config,
                    "\"{}\" is not {}",
                    printable(value, 128),
                    form_of(allowed->type));
    }
    return out;
}

}  // namespace knarr::runtime::native
