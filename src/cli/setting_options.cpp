#include "cli/setting_options.h"

#include <algorithm>
#include <cstdlib>

#include <unistd.h>

#include "bundle/host_name.h"
#include "cli/key_value.h"
#include "cli/ports.h"
#include "cli/resource_options.h"
#include "cli/run_options.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/absent.h"
#include "platform/file.h"

namespace knarr::cli {

namespace {

constexpr std::size_t kMaxSettingsFileBytes = std::size_t{1} << 20;

/// An IPv4 or IPv6 address by its looks; the container's C library reads it for good.
bool is_address(std::string_view text) {
    if (text.find(':') != std::string_view::npos) {
        return text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
    }
    const auto parts = split(text, '.');
    return parts.size() == 4 && std::ranges::all_of(parts, [](std::string_view part) {
               return parse_number(part, 255).has_value();
           });
}

Result<std::string> parse_address(std::string_view text, std::string_view option) {
    if (!is_address(text)) {
        return fail(Errc::invalid_argument, "{} \"{}\" is no IP address", option, printable(text));
    }
    return std::string(text);
}

Result<std::vector<std::string>> read_settings_file(std::string_view path,
                                                    std::string_view option) {
    const Result<std::string> text = sys::read_file(std::string(path), kMaxSettingsFileBytes);
    if (!text) {
        return fail(Error(text.error())
                        .within(option)
                        .advise(sys::is_absent(text.error())
                                    ? "check the path: a relative one begins in the current "
                                      "directory"
                                    : "it names a file of lines NAME=VALUE"));
    }
    return parse_settings_file(*text, path, option);
}

/// The text of a profile in Docker's form; the engine reads what it says.
Result<std::string> read_seccomp_profile(std::string_view path) {
    Result<std::string> text = sys::read_file(std::string(path), limits::kMaxSeccompProfileBytes);
    if (!text) {
        return fail(Error(text.error())
                        .within("--security-opt seccomp")
                        .advise("it names a file with a profile in Docker's form, or is "
                                "unconfined for no filter or builtin for knarr's own"));
    }
    if (text->empty()) {
        return fail(Errc::invalid_argument,
                    "--security-opt seccomp: {} is empty: a profile has at least a defaultAction",
                    printable(path));
    }
    return text;
}

/// A mode of namespaces: true for host.
Result<bool> is_host(const Parsed& args, std::string_view option) {
    const std::string_view mode = args.get(option, "private");
    if (mode == "host") {
        return true;
    }
    if (mode == "private" || mode.empty() || (option == "ipc" && mode == "shareable")) {
        return false;
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = fmt::format("--{} {} is not built yet", option, printable(mode)),
                      .hint = "private and host are"});
}

Result<> parse_labels(const Parsed& args, ContainerSettings& out) {
    for (const std::string_view path : args.all("label-file")) {
        for (const std::string& line : KNARR_TRY(read_settings_file(path, "--label-file"))) {
            KeyValue pair = KNARR_TRY(parse_key_value(line, "--label-file", Bare::allowed));
            out.labels[pair.key] = std::move(pair.value);
        }
    }
    for (const std::string_view text : args.all("label")) {
        KeyValue pair = KNARR_TRY(parse_key_value(text, "--label", Bare::allowed));
        out.labels[pair.key] = std::move(pair.value);
    }
    for (const std::string_view text : args.all("annotation")) {
        KeyValue pair = KNARR_TRY(parse_key_value(text, "--annotation", Bare::refused));
        out.annotations[pair.key] = std::move(pair.value);
    }
    return {};
}

Result<> parse_names(const Parsed& args, NameSettings& out) {
    for (const std::string_view text : args.all("add-host")) {
        out.hosts.push_back(KNARR_TRY(parse_host(text)));
    }
    for (const std::string_view text : args.all("dns")) {
        out.servers.push_back(KNARR_TRY(parse_address(text, "--dns")));
    }
    const auto words = [&](std::string_view option, std::vector<std::string>& into) -> Result<> {
        for (const std::string_view text : args.all(option)) {
            if (text.empty() || text.find_first_of(" \t\n#;") != std::string_view::npos) {
                return fail(
                    Errc::invalid_argument, "--{} \"{}\" is not one word", option, printable(text));
            }
            into.emplace_back(text);
        }
        return {};
    };
    KNARR_TRY(words("dns-search", out.search));
    for (std::string_view domain : out.search) {
        domain.remove_suffix(domain.ends_with('.') ? 1 : 0);  // the root, or a name from there
        if (!domain.empty()) {
            KNARR_TRY(bundle::check_host_name(domain, bundle::kMaxDnsNameBytes, "--dns-search"));
        }
    }
    KNARR_TRY(words("dns-option", out.options));
    KNARR_TRY(words("dns-opt", out.options));
    out.domain = args.get("domainname");
    return {};
}

Result<> parse_namespaces(const Parsed& args, ContainerSettings& out) {
    out.host_pid = KNARR_TRY(is_host(args, "pid"));
    out.host_ipc = KNARR_TRY(is_host(args, "ipc"));
    out.host_uts = KNARR_TRY(is_host(args, "uts"));
    out.host_cgroup = KNARR_TRY(is_host(args, "cgroupns"));
    if (out.host_uts && (args.has("hostname") || args.has("domainname"))) {
        return fail(Errc::invalid_argument,
                    "--uts host: the container has the host's name, and --{} would change it",
                    args.has("hostname") ? "hostname" : "domainname");
    }
    if (args.has("userns") && args.get("userns") != "host") {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("--userns {} is not built yet", printable(args.get("userns"))),
            .hint = "a bundle with linux.uidMappings has a user namespace"});
    }
    return {};
}

Result<> parse_program(const Parsed& args, ContainerSettings& out) {
    if (const auto text = args.find("umask")) {
        constexpr std::size_t kDigits = 4;
        if (text->empty() || text->size() > kDigits ||
            text->find_first_not_of("01234567") != std::string_view::npos ||
            (text->size() == kDigits && text->front() != '0')) {
            return fail(Errc::invalid_argument,
                        "--umask \"{}\" is not an octal number from 0 to 0777",
                        printable(*text));
        }
        std::uint32_t mask = 0;
        for (const char digit : *text) {
            mask = mask * 8 + static_cast<std::uint32_t>(digit - '0');
        }
        out.umask = mask;
    }
    out.personality = args.get("personality");
    if (args.has("personality") && out.personality != "LINUX" && out.personality != "LINUX32") {
        return fail(Errc::invalid_argument,
                    "--personality \"{}\" is neither LINUX nor LINUX32",
                    printable(out.personality));
    }
    for (const std::string_view name : args.all("unsetenv")) {
        if (name.empty() || name.find('=') != std::string_view::npos) {
            return fail(Errc::invalid_argument,
                        "--unsetenv \"{}\" is not the name of a variable",
                        printable(name));
        }
        out.unset_env.emplace_back(name);
    }
    for (const std::string_view name : args.all("env")) {
        const bool is_name = name.find('=') == std::string_view::npos;
        if (is_name && std::getenv(std::string(name).c_str()) == nullptr) {
            out.unset_env.emplace_back(name);  // docker's: what the caller has not goes there, too
        }
    }
    out.unset_all_env = args.flag("unsetenv-all");
    out.image_hosts = args.flag("no-hosts");
    if (out.image_hosts && args.has("add-host")) {
        return fail(Errc::invalid_argument,
                    "--no-hosts and --add-host contradict each other: one leaves alone what the "
                    "other writes");
    }
    return {};
}

Result<> refuse_ports(const Parsed& args, NetworkMode network, std::vector<std::string>& warnings) {
    if (!args.has("publish") && !args.flag("publish-all")) {
        return {};
    }
    if (network == NetworkMode::host) {
        warnings.emplace_back(
            "published ports do nothing with --network host: what listens is the host's");
        return {};
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = "--publish is not built yet: a container has no network but "
                                 "loopback",
                      .hint = "--network host gives it the host's network with all ports"});
}

}  // namespace

Result<std::vector<std::string>> parse_settings_file(std::string_view text,
                                                     std::string_view path,
                                                     std::string_view option) {
    std::vector<std::string> out;
    std::size_t number = 0;
    if (text.starts_with("\xEF\xBB\xBF")) {
        text.remove_prefix(3);  // a byte order mark, as docker has it
    }
    for (std::string_view line : split(text, '\n')) {
        ++number;
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (line.empty() || line.front() == '#') {
            continue;
        }
        const std::string_view name = line.substr(0, line.find('='));
        if (name.empty() || name.find_first_of(" \t") != std::string_view::npos ||
            line.find('\0') != std::string_view::npos) {
            return fail(Error{
                .code = Errc::invalid_argument,
                .message =
                    fmt::format("{} {}, line {}: \"{}\" is not NAME=VALUE; a name has no blank",
                                option,
                                printable(path),
                                number,
                                printable(line, 64)),
                .hint = "a line is NAME=VALUE, NAME (your own value) or # and a remark; a shell's "
                        "\"export\" and quotes mean nothing there"});
        }
        out.emplace_back(line);
    }
    return out;
}

std::vector<std::string> env_settings(std::string_view setting) {
    if (setting.find('=') != std::string_view::npos) {
        return {std::string(setting)};
    }
    std::vector<std::string> out;
    if (setting.ends_with('*')) {  // podman's
        setting.remove_suffix(1);
        for (char** own = environ; own != nullptr && *own != nullptr; ++own) {
            const std::string_view text(*own);
            if (text.substr(0, text.find('=')).starts_with(setting)) {
                out.emplace_back(text);
            }
        }
    } else if (const char* own = std::getenv(std::string(setting).c_str())) {
        out.push_back(fmt::format("{}={}", setting, own));
    }
    return out;
}

Result<std::vector<std::string>> parse_whole_env(const Parsed& args) {
    std::vector<std::string> env;
    for (const std::string_view path : args.all("env-file")) {
        for (const std::string& line : KNARR_TRY(read_settings_file(path, "--env-file"))) {
            for (std::string& setting : env_settings(line)) {
                env.push_back(std::move(setting));
            }
        }
    }
    for (std::string& setting : KNARR_TRY(parse_env(args))) {
        env.push_back(std::move(setting));
    }
    return env;
}

Result<TmpfsRequest> parse_tmpfs(std::string_view text) {
    const std::size_t colon = text.find(':');
    TmpfsRequest out{.target = std::string(text.substr(0, colon)), .options = {}};
    if (colon != std::string_view::npos) {
        for (const std::string_view option : split(text.substr(colon + 1), ',')) {
            if (!option.empty()) {
                out.options.emplace_back(option);
            }
        }
    }
    if (!out.target.starts_with('/')) {
        return fail(Errc::invalid_argument,
                    "--tmpfs \"{}\" is not an absolute path, with or without :OPTIONS",
                    printable(text));
    }
    return out;
}

Result<DeviceRequest> parse_device(std::string_view text) {
    const auto parts = split(text, ':');
    const auto is_access = [](std::string_view part) {
        return !part.empty() && part.size() <= 3 &&
               part.find_first_not_of("rwm") == std::string_view::npos;
    };
    DeviceRequest out;
    out.source = parts[0];
    out.target = parts[0];
    if (parts.size() == 2 && is_access(parts[1])) {
        out.access = parts[1];
    } else if (parts.size() >= 2) {
        out.target = parts[1];
    }
    const bool bad_access = parts.size() == 3 && !is_access(parts[2]);
    if (parts.size() > 3 || bad_access || !out.source.starts_with('/') ||
        !out.target.starts_with('/')) {
        return fail(Errc::invalid_argument,
                    "--device \"{}\" is not /dev/HOST[:/dev/TARGET][:rwm]",
                    printable(text));
    }
    if (parts.size() == 3) {
        out.access = parts[2];
    }
    return out;
}

Result<UlimitRequest> parse_ulimit(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::invalid_argument,
                    "--ulimit \"{}\" is not NAME=SOFT[:HARD]; -1 is no limit",
                    printable(text));
    };
    const auto value = [](std::string_view one) {
        return one == "-1" || one == "unlimited" ? std::optional(UlimitRequest::kNone)
                                                 : parse_number(one);
    };
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
        return bad();
    }
    const auto numbers = split(text.substr(equals + 1), ':');
    const auto soft = value(numbers[0]);
    const auto hard = numbers.size() == 2 ? value(numbers[1]) : soft;
    if (!soft || !hard || numbers.size() > 2) {
        return bad();
    }
    if (*soft > *hard) {
        return fail(Errc::invalid_argument,
                    "--ulimit \"{}\": the soft limit is above the hard one",
                    printable(text));
    }
    return UlimitRequest{.name = std::string(text.substr(0, equals)), .soft = *soft, .hard = *hard};
}

Result<std::string> parse_host(std::string_view text) {
    const std::size_t at = text.find_first_of(":=");
    const std::string_view name = text.substr(0, at);
    std::string_view address = at == std::string_view::npos ? "" : text.substr(at + 1);
    if (address.size() > 2 && address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    if (address == "host-gateway") {
        return fail(Error{.code = Errc::unsupported,
                          .message = "--add-host: there is no host-gateway without a network",
                          .hint = "give an address; with --network host it is 127.0.0.1"});
    }
    if (!is_address(address)) {
        return fail(Errc::invalid_argument,
                    "--add-host \"{}\" is not NAME:ADDRESS with an IP address",
                    printable(text));
    }
    KNARR_TRY(bundle::check_host_name(name, bundle::kMaxDnsNameBytes, "--add-host: the name"));
    return fmt::format("{}:{}", name, address);
}

Result<> parse_security(std::string_view text,
                        SecuritySettings& security,
                        std::vector<std::string>& warnings) {
    // docker takes "name:value" as well.
    const std::size_t at = text.find_first_of("=:");
    const std::string_view name = text.substr(0, at);
    const std::string_view value =
        at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
    if (name == "no-new-privileges" && (value.empty() || value == "true" || value == "false")) {
        security.no_new_privileges = value != "false";
    } else if (name == "seccomp" && (value == "unconfined" || value == "builtin")) {
        security.any_system_call = value == "unconfined";
        security.seccomp_profile.clear();
    } else if (name == "apparmor" && !value.empty()) {
        security.apparmor_profile = value == "unconfined" ? "" : value;
    } else if (name == "systempaths" && value == "unconfined") {
        security.open_system_paths = true;
    } else if (name == "label" && !value.empty()) {
        if (value != "disable") {
            warnings.push_back(fmt::format(
                "--security-opt {} does nothing: SELinux labels are not set", printable(text)));
        }
    } else if (name == "seccomp" && !value.empty()) {
        security.seccomp_profile = KNARR_TRY(read_seccomp_profile(value));
        security.seccomp_profile_name = value;
    } else {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("--security-opt {} is not known", printable(text)),
                          .hint =
                              "no-new-privileges[=false], seccomp=FILE|unconfined|builtin, "
                              "apparmor=PROFILE, label=disable and systempaths=unconfined are"});
    }
    return {};
}

Result<> parse_settings(const Parsed& args,
                        RunRequest& request,
                        std::vector<std::string>& warnings) {
    ContainerSettings& out = request.settings;
    KNARR_TRY(parse_labels(args, out));
    KNARR_TRY(parse_names(args, out.names));
    KNARR_TRY(parse_namespaces(args, out));
    KNARR_TRY(parse_resources(args, request, warnings));
    KNARR_TRY(parse_program(args, out));
    KNARR_TRY(refuse_ports(args, request.network, warnings));
    for (const std::string_view text : args.all("expose")) {
        const auto ports = KNARR_TRY(parse_ports(text, "--expose"));
        out.exposed.insert(out.exposed.end(), ports.begin(), ports.end());
    }
    for (const std::string_view text : args.all("tmpfs")) {
        out.tmpfs.push_back(KNARR_TRY(parse_tmpfs(text)));
    }
    for (const std::string_view text : args.all("device")) {
        out.devices.push_back(KNARR_TRY(parse_device(text)));
    }
    for (const std::string_view text : args.all("ulimit")) {
        out.ulimits.push_back(KNARR_TRY(parse_ulimit(text)));
    }
    for (const std::string_view text : args.all("sysctl")) {
        KeyValue pair = KNARR_TRY(parse_key_value(text, "--sysctl", Bare::refused));
        out.sysctls[pair.key] = std::move(pair.value);
    }
    for (const std::string_view text : args.all("security-opt")) {
        KNARR_TRY(parse_security(text, out.security, warnings));
    }
    const auto copy = [&](std::string_view option, std::vector<std::string>& into) {
        const auto all = args.all(option);
        into.assign(all.begin(), all.end());
    };
    copy("cap-add", out.security.add_capabilities);
    copy("cap-drop", out.security.drop_capabilities);
    for (const std::string_view text : args.all("group-add")) {
        for (const std::string_view group : split(text, ',')) {
            out.groups.emplace_back(group);  // podman takes several in one
        }
    }
    out.security.privileged = args.flag("privileged");
    out.init = args.flag("init");
    out.shm_bytes = KNARR_TRY(parse_bytes(args, "shm-size"));
    out.keeps_stdin = args.flag("interactive");
    return {};
}

}  // namespace knarr::cli
