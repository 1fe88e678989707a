#include "runtime/native/annotations.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace knarr::runtime::native {

namespace {

constexpr const char* kHandler = "run.oci.handler";
constexpr const char* kBpfData = "run.oci.seccomp_bpf_data";
constexpr const char* kDelegate = "run.oci.delegate-cgroup";
constexpr const char* kContextType = "run.oci.mount_context_type";
constexpr const char* kForceV1 = "run.oci.systemd.force_cgroup_v1";
constexpr const char* kTimeOffset = "run.oci.timens_offset";

// Source: mount(8), "Filesystem-independent mount options".
constexpr std::array<std::string_view, 4> kContextTypes{
    "context", "fscontext", "defcontext", "rootcontext"};

Result<> check_handler(const std::string& handler) {
    if (handler.empty()) {
        return {};
    }
    const bool known = handler == "krun" || handler == "wasm";
    return fail(Error{
        .code = known ? Errc::unsupported : Errc::invalid_config,
        .message =
            known ? fmt::format("annotation {}: the handler {} is not built", kHandler, handler)
                  : fmt::format(
                        "annotation {}: there is no handler \"{}\"", kHandler, printable(handler)),
        .hint = "leave the annotation out to run the container natively"});
}

Result<> check_time_offset(const std::string& text) {
    const std::vector<std::string_view> parts = split(text, ' ');
    const auto number = [](std::string_view part) {
        part.remove_prefix(part.starts_with('-') ? 1 : 0);
        return parse_number(part, INT64_MAX).has_value();
    };
    if (parts.size() == 3 && number(parts[1]) && number(parts[2]) && !parts[0].empty()) {
        return {};
    }
    return fail(Errc::invalid_config,
                "annotation {}: \"{}\" is not CLOCK SECONDS NANOSECONDS",
                kTimeOffset,
                printable(text));
}

}  // namespace

std::string annotation(const spec::RuntimeConfig& config, const char* name) {
    const auto found = config.annotations.find(name);
    return found == config.annotations.end() ? std::string() : found->second;
}

bool is_annotated(const spec::RuntimeConfig& config, const char* name) {
    const auto found = config.annotations.find(name);
    return found != config.annotations.end() && found->second != "0" && found->second != "false";
}

Result<> check_annotations(const spec::RuntimeConfig& config, const sys::HostFacts& host) {
    KNARR_TRY(check_handler(annotation(config, kHandler)));
    if (config.annotations.contains(kBpfData)) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("annotation {}: ready-made filters are not taken", kBpfData),
            .hint = "give the policy in linux.seccomp"});
    }
    if (!annotation(config, kDelegate).empty()) {
        return fail(Errc::unsupported,
                    "annotation {}: {}",
                    kDelegate,
                    host.cgroup_layout == sys::CgroupLayout::v2
                        ? "this build makes no cgroup below the container's"
                        : "only cgroup v2 can be delegated safely");
    }
    const std::string context = annotation(config, kContextType);
    if (!context.empty() && std::ranges::find(kContextTypes, context) == kContextTypes.end()) {
        return fail(Errc::invalid_config,
                    "annotation {}: \"{}\" is none of {}",
                    kContextType,
                    printable(context),
                    fmt::join(kContextTypes, ", "));
    }
    const std::string place = annotation(config, kForceV1);
    if (!place.empty() && !place.starts_with('/')) {
        return fail(Errc::invalid_config,
                    "annotation {}: \"{}\" is not an absolute path",
                    kForceV1,
                    printable(place));
    }
    const std::string offset = annotation(config, kTimeOffset);
    return offset.empty() ? Result<>{} : check_time_offset(offset);
}

std::string label_option(const spec::RuntimeConfig& config) {
    const std::string type = annotation(config, kContextType);
    return type.empty() ? "context" : type;
}

std::string systemd_v1_place(const spec::RuntimeConfig& config, const sys::HostFacts& host) {
    return host.cgroup_layout == sys::CgroupLayout::v2 ? annotation(config, kForceV1)
                                                       : std::string();
}

std::string time_offset_line(const spec::RuntimeConfig& config) {
    const std::string offset = annotation(config, kTimeOffset);
    return offset.empty() ? offset : offset + "\n";
}

}  // namespace knarr::runtime::native
