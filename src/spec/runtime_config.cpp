#include "spec/runtime_config.h"

#include "core/ascii.h"
#include "spec/resources.h"
#include "spec/runtime_linux_fields.h"

namespace knarr::spec {

bool is_number_list(std::string_view text) {
    for (std::string_view range : split(text, ',')) {
        const auto trim = [](std::string_view part) {
            while (part.starts_with(' ')) {
                part.remove_prefix(1);
            }
            while (part.ends_with(' ')) {
                part.remove_suffix(1);
            }
            return part;
        };
        const std::size_t dash = range.find('-');
        const auto first = parse_number(trim(range.substr(0, dash)), UINT32_MAX);
        const auto last = dash == std::string_view::npos
                              ? first
                              : parse_number(trim(range.substr(dash + 1)), UINT32_MAX);
        if (!first || !last || *first > *last) {
            return false;
        }
    }
    return true;
}

bool is_interface_name(std::string_view name) {
    constexpr std::size_t kMaxBytes = 15;
    return !name.empty() && name.size() <= kMaxBytes && name != "." && name != ".." &&
           name.find_first_of("/: \t\n\v\f\r") == std::string_view::npos;
}

bool is_page_size(std::string_view text) {
    return text.size() > 2 && text.ends_with('B') &&
           std::string_view("KMG").find(text[text.size() - 2]) != std::string_view::npos &&
           text[0] != '0' && parse_number(text.substr(0, text.size() - 2)).has_value();
}

namespace {

/// A version of the form 1.MINOR.PATCH with an optional -PRERELEASE and +BUILD: the versions of
/// the specification that knarr understands. Source: semver.org 2.0.0; runtime-spec 1.0.0 and
/// later promise that a 1.x runtime can run every earlier 1.x configuration.
bool is_version_1(std::string_view version) {
    const std::string_view core = version.substr(0, version.find_first_of("-+"));
    const std::vector<std::string_view> parts = split(core, '.');
    const auto is_number = [](std::string_view part) {
        return parse_number(part).has_value() && (part.size() == 1 || part[0] != '0');
    };
    const std::string_view rest = version.substr(core.size());
    const auto allowed = [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '+'; };
    return parts.size() == 3 && std::ranges::all_of(parts, is_number) && parts[0] == "1" &&
           rest.size() != 1 && std::ranges::all_of(rest, allowed);
}

bool is_empty(const Hooks& hooks) {
    return hooks.prestart.empty() && hooks.create_runtime.empty() &&
           hooks.create_container.empty() && hooks.start_container.empty() &&
           hooks.poststart.empty() && hooks.poststop.empty();
}

}  // namespace

template <typename F>
void fields(F& f, Of<F, RuntimeConfig>& m) {
    constexpr std::size_t kMaxHostnameBytes = 64;  // __NEW_UTS_LEN
    f.required("ociVersion", m.oci_version);
    f.check(is_version_1(m.oci_version),
            "ociVersion",
            "\"{}\" is not a version 1.x.y of the runtime specification",
            printable(m.oci_version, 60));
    f.optional("process", m.process);
    f.optional("root", m.root);
    f.optional("hostname", m.hostname);
    f.optional("domainname", m.domainname);
    f.optional("mounts", m.mounts);
    if (F::kReading || !is_empty(m.hooks)) {
        f.always("hooks", m.hooks);
    }
    f.optional("annotations", m.annotations);
    f.optional("linux", m.linux_);
    if constexpr (F::kReading) {
        const bool uts = m.linux_ && std::ranges::any_of(m.linux_->namespaces, [](const auto& ns) {
                             return ns.type == NamespaceType::uts;
                         });
        for (const auto& [name, text] :
             {std::pair("hostname", &m.hostname), std::pair("domainname", &m.domainname)}) {
            f.check(uts || text->empty(), name, "needs a uts namespace");
            f.check(text->size() <= kMaxHostnameBytes,
                    name,
                    "{} bytes are more than the kernel's {}",
                    text->size(),
                    kMaxHostnameBytes);
        }
        f.check(!m.annotations.contains(""), "annotations", "has an empty key");
    }
}

Result<RuntimeConfig> decode_runtime_config(std::string_view json) {
    const JsonSource source{.name = "config.json",
                            .failure = Errc::invalid_config,
                            .max_bytes = limits::kMaxBundleConfigBytes};
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, source));
    RuntimeConfig config;
    KNARR_TRY(read_json(document.root(), config));
    return config;
}

namespace {
template <typename T>
Result<T> decode_part(std::string_view json, std::string_view name) {
    const JsonSource source{
        .name = name, .failure = Errc::invalid_config, .max_bytes = limits::kMaxBundleConfigBytes};
    const JsonDocument document = KNARR_TRY(JsonDocument::parse(json, source));
    T part;
    KNARR_TRY(read_json(document.root(), part));
    return part;
}
}  // namespace

Result<Process> decode_process(std::string_view json, std::string_view name) {
    return decode_part<Process>(json, name);
}

Result<Resources> decode_resources(std::string_view json, std::string_view name) {
    return decode_part<Resources>(json, name);
}

std::string encode_runtime_config(const RuntimeConfig& config) {
    JsonWriter json(JsonLayout::indented);
    FieldWriter(json).write(config);
    return std::move(json).text();
}

}  // namespace knarr::spec
