#include "spec/seccomp_profile.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/limits.h"
#include "spec/json_reader.h"
#include "spec/runtime_linux_fields.h"

namespace knarr::spec {

namespace {

/// "4.8"; as with moby, nothing behind that.
std::optional<KernelVersion> parse_kernel(std::string_view text) {
    const std::vector<std::string_view> parts = split(text, '.');
    if (parts.size() != 2) {
        return std::nullopt;
    }
    const auto major = parse_number(parts[0], UINT16_MAX);
    const auto minor = parse_number(parts[1], UINT16_MAX);
    if (!major || !minor || (*major == 0 && *minor == 0)) {
        return std::nullopt;
    }
    return KernelVersion{.major = static_cast<std::uint32_t>(*major),
                         .minor = static_cast<std::uint32_t>(*minor)};
}

/// The number of an error by its name, "EPERM", or by digits. Source: errno(3).
std::optional<std::uint32_t> errno_of(std::string_view name) {
    constexpr int kMostErrnos = 4095;
    if (const auto digits = parse_number(name, kMostErrnos)) {
        return static_cast<std::uint32_t>(*digits);
    }
    // Second names of a number, which the C library does not tell.
    constexpr std::pair<std::string_view, int> kSecondNames[] = {
        {"EWOULDBLOCK", EWOULDBLOCK}, {"EDEADLOCK", EDEADLOCK}, {"ENOTSUP", ENOTSUP}};
    for (const auto& [second, number] : kSecondNames) {
        if (name == second) {
            return static_cast<std::uint32_t>(number);
        }
    }
    for (int number = 1; number <= kMostErrnos; ++number) {
        const char* known = strerrorname_np(number);
        if (known != nullptr && name == known) {
            return static_cast<std::uint32_t>(number);
        }
    }
    return std::nullopt;
}

/// podman's files give an error by its name, too, and that is what counts.
template <typename F>
void read_errno(F& f,
                std::string_view name,
                std::string_view number_name,
                const std::string& action,
                std::optional<std::uint32_t>& out) {
    std::string text;
    f.optional(number_name, out);
    f.optional(name, text);
    if (!text.empty()) {
        out = errno_of(text);
        f.check(out.has_value(), name, "\"{}\" is no error of errno(3)", printable(text, 60));
    }
    check_errno(f, text.empty() ? number_name : name, action, out);
}

}  // namespace

template <typename F>
void fields(F& f, Of<F, SeccompWhere>& m) {
    std::string kernel;
    f.optional("caps", m.capabilities);
    f.optional("arches", m.architectures);
    f.optional("minKernel", kernel);
    f.no_other_case({"caps", "arches", "minKernel"});
    if (!kernel.empty()) {
        m.min_kernel = parse_kernel(kernel);
        f.check(m.min_kernel.has_value(),
                "minKernel",
                "\"{}\" is no version of the kernel, like 4.8",
                printable(kernel, 60));
    }
}

template <typename F>
void fields(F& f, Of<F, SeccompProfileRule>& m) {
    std::string one;
    f.optional("names", m.rule.names);
    f.optional("name", one);
    f.check(one.empty() || m.rule.names.empty(), "name", "stands beside \"names\"");
    if (!one.empty()) {
        m.rule.names = {one};
    }
    f.check(!m.rule.names.empty(), "names", "is missing or empty");
    f.required_of("action", m.rule.action, kSeccompActions);
    read_errno(f, "errno", "errnoRet", m.rule.action, m.rule.errno_ret);
    f.optional("args", m.rule.args);
    f.optional("includes", m.includes);
    f.optional("excludes", m.excludes);
    f.no_other_case(
        {"names", "name", "action", "errno", "errnoRet", "args", "includes", "excludes"});
}

template <typename F>
void fields(F& f, Of<F, SeccompArchMap>& m) {
    f.required("architecture", m.architecture);
    f.optional("subArchitectures", m.sub_architectures);  // those of other machines may be new
    f.no_other_case({"architecture", "subArchitectures"});
}

template <typename F>
void fields(F& f, Of<F, SeccompProfile>& m) {
    Seccomp& filter = m.filter;
    f.required_of("defaultAction", filter.default_action, kSeccompActions);
    read_errno(
        f, "defaultErrno", "defaultErrnoRet", filter.default_action, filter.default_errno_ret);
    f.each_of("architectures", filter.architectures, kSeccompArchitectures);
    f.optional("archMap", m.arch_map);
    f.check(filter.architectures.empty() || m.arch_map.empty(),
            "archMap",
            "stands beside \"architectures\"");
    f.each_of("flags", filter.flags, kSeccompFlags);
    f.optional("listenerPath", filter.listener_path);
    f.optional("listenerMetadata", filter.listener_metadata);
    f.optional("syscalls", m.rules);
    f.no_other_case({"defaultAction",
                     "defaultErrno",
                     "defaultErrnoRet",
                     "architectures",
                     "archMap",
                     "flags",
                     "listenerPath",
                     "listenerMetadata",
                     "syscalls"});
    check_listener(f, filter, m.rules, [](const SeccompProfileRule& one) -> std::string_view {
        return one.rule.action;
    });
}

Result<SeccompProfile> decode_seccomp_profile(std::string_view json, std::string_view name) {
    const JsonDocument document =
        KNARR_TRY(JsonDocument::parse(json,
                                      {.name = name,
                                       .failure = Errc::invalid_argument,
                                       .max_bytes = limits::kMaxSeccompProfileBytes}));
    SeccompProfile profile;
    KNARR_TRY(read_json(document.root(), profile));
    return profile;
}

}  // namespace knarr::spec
