#include "runtime/native/devices.h"

#include <algorithm>
#include <array>

#include <sys/stat.h>

#include "core/text.h"
#include "runtime/native/mounts.h"

namespace knarr::runtime::native {

namespace {

struct DefaultDevice {
    const char* path;
    std::uint32_t major, minor;
};
constexpr std::array kDefaultDevices = {
    DefaultDevice{"/dev/null", 1, 3},
    DefaultDevice{"/dev/zero", 1, 5},
    DefaultDevice{"/dev/full", 1, 7},
    DefaultDevice{"/dev/random", 1, 8},
    DefaultDevice{"/dev/urandom", 1, 9},
    DefaultDevice{"/dev/tty", 5, 0},
};

struct DefaultLink {
    const char* path;
    const char* target;
};
constexpr std::array kDefaultLinks = {
    DefaultLink{"/dev/ptmx", "pts/ptmx"},
    DefaultLink{"/dev/fd", "/proc/self/fd"},
    DefaultLink{"/dev/stdin", "/proc/self/fd/0"},
    DefaultLink{"/dev/stdout", "/proc/self/fd/1"},
    DefaultLink{"/dev/stderr", "/proc/self/fd/2"},
};

// The kernel's dev_t has 12 bits of major and 20 of minor.
constexpr std::int64_t kMaxMajor = (1 << 12) - 1;
constexpr std::int64_t kMaxMinor = (1 << 20) - 1;

bool is_listed(const std::vector<spec::Device>& config, std::string_view path) {
    return std::ranges::any_of(
        config, [&](const spec::Device& one) { return clean_destination(one.path) == path; });
}

Result<std::int64_t> checked_number(std::optional<std::int64_t> number,
                                    std::int64_t max,
                                    const char* what) {
    if (!number || *number == -1) {
        return -1;
    }
    if (*number < 0 || *number > max) {
        return fail(
            Errc::invalid_config, "{}: {} is not -1 and not in 0 to {}", what, *number, max);
    }
    return *number;
}

Result<sys::CgroupDeviceRule> checked_rule(const spec::DeviceRule& rule) {
    if (rule.type != 'a' && rule.type != 'b' && rule.type != 'c') {
        return fail(Errc::invalid_config,
                    "type: {} is not a, b or c",
                    printable(std::string_view(&rule.type, 1)));
    }
    // "a" is no access, but runc takes it and rules have it: all of them where it denies, none
    // where it allows (has_letter_a() warns).
    const bool all = rule.access.empty() || (!rule.allow && has_letter_a(rule));
    std::string access;
    for (const char c : std::string_view("rwm")) {
        if (all || rule.access.find(c) != std::string::npos) {
            access += c;
        }
    }
    if (access.empty() || rule.access.find_first_not_of("rwma") != std::string::npos) {
        return fail(Errc::invalid_config,
                    "access: \"{}\" holds something other than r, w and m",
                    printable(rule.access));
    }
    return sys::CgroupDeviceRule{.allow = rule.allow,
                                 .type = rule.type,
                                 .major = KNARR_TRY(checked_number(rule.major, kMaxMajor, "major")),
                                 .minor = KNARR_TRY(checked_number(rule.minor, kMaxMinor, "minor")),
                                 .access = std::move(access)};
}

/// "c 1:3 rwm"
std::string text_of(const sys::CgroupDeviceRule& rule) {
    const auto number = [](std::int64_t n) { return n < 0 ? "*" : fmt::format("{}", n); };
    return fmt::format(
        "{} {}:{} {}", rule.type, number(rule.major), number(rule.minor), rule.access);
}

bool is_everything(const sys::CgroupDeviceRule& rule) {
    return rule.type == 'a' && rule.major < 0 && rule.minor < 0 && rule.access == "rwm";
}

/// What the kernel keeps for a v1 cgroup: a default and the exceptions from it.
class DeviceList {
public:
    /// The write that makes `rule` true; nothing when it is so already.
    Result<std::optional<sys::CgroupWrite>> apply(const sys::CgroupDeviceRule& rule) {
        if (is_everything(rule)) {
            if (known_ && default_allow_ == rule.allow && exceptions_.empty()) {
                return std::nullopt;
            }
            known_ = true;
            default_allow_ = rule.allow;
            exceptions_.clear();
            return write("a", rule.allow);
        }
        return rule.allow == default_allow_ ? take_away(rule) : add(rule);
    }

private:
    static std::optional<sys::CgroupWrite> write(std::string text, bool allow) {
        return sys::CgroupWrite{.file = allow ? "devices.allow" : "devices.deny",
                                .text = std::move(text),
                                .property = "linux.resources.devices"};
    }
    static bool same_device(const sys::CgroupDeviceRule& a, const sys::CgroupDeviceRule& b) {
        return a.type == b.type && a.major == b.major && a.minor == b.minor;
    }
    static bool overlaps(const sys::CgroupDeviceRule& a, const sys::CgroupDeviceRule& b) {
        const auto meet = [](std::int64_t x, std::int64_t y) { return x < 0 || y < 0 || x == y; };
        return a.type == b.type && meet(a.major, b.major) && meet(a.minor, b.minor) &&
               a.access.find_first_of(b.access) != std::string::npos;
    }
    static bool covers(const sys::CgroupDeviceRule& wide, const sys::CgroupDeviceRule& one) {
        return wide.type == one.type && (wide.major < 0 || wide.major == one.major) &&
               (wide.minor < 0 || wide.minor == one.minor) &&
               one.access.find_first_not_of(wide.access) == std::string::npos;
    }

    Result<std::optional<sys::CgroupWrite>> add(const sys::CgroupDeviceRule& rule) {
        if (std::ranges::any_of(exceptions_, [&](const auto& had) { return covers(had, rule); })) {
            return std::nullopt;
        }
        const auto same = std::ranges::find_if(
            exceptions_, [&](const auto& had) { return same_device(had, rule); });
        if (same == exceptions_.end()) {
            exceptions_.push_back(rule);
        } else {
            for (const char c : rule.access) {
                if (same->access.find(c) == std::string::npos) {
                    same->access += c;
                }
            }
        }
        return write(text_of(rule), rule.allow);
    }

    Result<std::optional<sys::CgroupWrite>> take_away(const sys::CgroupDeviceRule& rule) {
        bool changed = false;
        for (sys::CgroupDeviceRule& had : exceptions_) {
            if (!overlaps(had, rule)) {
                continue;
            }
            if (!same_device(had, rule)) {
                return fail(Errc::unsupported,
                            "\"{} {}\" after \"{} {}\" cannot be said on cgroup v1, which knows "
                            "exceptions from one default only; name the devices one by one",
                            rule.allow ? "allow" : "deny",
                            text_of(rule),
                            had.allow ? "allow" : "deny",
                            text_of(had));
            }
            std::erase_if(had.access,
                          [&](char c) { return rule.access.find(c) != std::string::npos; });
            changed = true;
        }
        std::erase_if(exceptions_, [](const auto& had) { return had.access.empty(); });
        return changed ? write(text_of(rule), rule.allow) : std::nullopt;
    }

    // A new cgroup inherits its parent's list; the first rule of every plan is "deny all".
    bool known_ = false;
    bool default_allow_ = true;
    std::vector<sys::CgroupDeviceRule> exceptions_;
};

}  // namespace

std::vector<Step> default_devices(const std::vector<spec::Device>& config, NodeWay way) {
    std::vector<Step> steps;
    for (const DefaultDevice& one : kDefaultDevices) {
        if (!is_listed(config, one.path)) {
            steps.push_back({.name = fmt::format("make device {}", one.path),
                             .operation = step::MakeDevice{.path = one.path,
                                                           .type = S_IFCHR,
                                                           .major = one.major,
                                                           .minor = one.minor,
                                                           .mode = 0666,
                                                           .bind = way == NodeWay::bind}});
        }
    }
    for (const DefaultLink& one : kDefaultLinks) {
        if (!is_listed(config, one.path)) {
            steps.push_back(
                {.name = fmt::format("link {} to {}", one.path, one.target),
                 .operation = step::MakeSymlink{.path = one.path, .target = one.target}});
        }
    }
    return steps;
}

Result<std::vector<Step>> config_devices(const std::vector<spec::Device>& config, NodeWay way) {
    std::vector<Step> steps;
    for (std::size_t i = 0; i < config.size(); ++i) {
        const spec::Device& one = config[i];
        const auto where = [&] { return fmt::format("linux.devices[{}]", i); };
        if (!one.path.starts_with('/') || clean_destination(one.path) == "/") {
            return fail(Errc::invalid_config,
                        "{}.path: \"{}\" is not the absolute path of a file",
                        where(),
                        printable(one.path));
        }
        const mode_t type = one.type == 'c' || one.type == 'u' ? S_IFCHR
                            : one.type == 'b'                  ? S_IFBLK
                            : one.type == 'p'                  ? S_IFIFO
                                                               : 0;
        if (type == 0) {
            return fail(Errc::invalid_config,
                        "{}.type: {} is not c, b, u or p",
                        where(),
                        printable(std::string_view(&one.type, 1)));
        }
        if (type != S_IFIFO &&
            (one.major < 0 || one.major > kMaxMajor || one.minor < 0 || one.minor > kMaxMinor)) {
            return fail(Errc::invalid_config,
                        "{}: {}:{} is not a device number; major is 0 to {}, minor 0 to {}",
                        where(),
                        one.major,
                        one.minor,
                        kMaxMajor,
                        kMaxMinor);
        }
        if (one.file_mode.value_or(0) > 07777 && (*one.file_mode & S_IFMT) != type) {
            return fail(Errc::invalid_config,
                        "{}.fileMode: {:o} (octal) is not a file mode",
                        where(),
                        *one.file_mode);
        }
        const bool fifo = type == S_IFIFO;
        steps.push_back({.name = fmt::format("make device {}", printable(one.path)),
                         .operation = step::MakeDevice{
                             .path = clean_destination(one.path),
                             .type = type,
                             .major = fifo ? 0 : static_cast<std::uint32_t>(one.major),
                             .minor = fifo ? 0 : static_cast<std::uint32_t>(one.minor),
                             .mode = one.file_mode.value_or(0666) & 07777,
                             .uid = one.uid.value_or(0),
                             .gid = one.gid.value_or(0),
                             .bind = way == NodeWay::bind && !fifo}});
    }
    return steps;
}

bool has_letter_a(const spec::DeviceRule& rule) {
    return rule.access.find('a') != std::string::npos;
}

Result<std::vector<sys::CgroupDeviceRule>> device_rules(
    const std::vector<spec::DeviceRule>& rules) {
    std::vector<sys::CgroupDeviceRule> out{{.allow = false, .type = 'a'}};
    for (std::size_t i = 0; i < rules.size(); ++i) {
        out.push_back(KNARR_TRY(checked_rule(rules[i]), "linux.resources.devices[{}]", i));
    }
    const auto allow = [&](char type, int major, int minor, const char* access) {
        out.push_back(
            {.allow = true, .type = type, .major = major, .minor = minor, .access = access});
    };
    allow('c', -1, -1, "m");  // making a node opens nothing
    allow('b', -1, -1, "m");
    for (const DefaultDevice& one : kDefaultDevices) {
        allow('c', static_cast<int>(one.major), static_cast<int>(one.minor), "rwm");
    }
    allow('c', 136, -1, "rwm");  // /dev/pts/*
    allow('c', 5, 2, "rwm");     // /dev/ptmx
    // /dev/net/tun: VPN containers bring the node and rely on the runtime's list, as of runc.
    allow('c', 10, 200, "rwm");
    return out;
}

Result<std::vector<sys::CgroupWrite>> device_writes(
    const std::vector<sys::CgroupDeviceRule>& rules) {
    std::vector<sys::CgroupWrite> out;
    DeviceList list;
    for (const sys::CgroupDeviceRule& rule : rules) {
        // The kernel takes "a" for everything, whatever follows it.
        const bool both = rule.type == 'a' && !is_everything(rule);
        for (const char type : both ? std::string("bc") : std::string(1, rule.type)) {
            sys::CgroupDeviceRule one = rule;
            one.type = type;
            std::optional<sys::CgroupWrite> write =
                KNARR_TRY(list.apply(one), "linux.resources.devices");
            if (write) {
                out.push_back(std::move(*write));
            }
        }
    }
    return out;
}

}  // namespace knarr::runtime::native
