#include "bundle/make.h"

#include <algorithm>

#include "bundle/defaults.h"
#include "bundle/seccomp_profile.h"
#include "bundle/settings.h"
#include "core/text.h"

namespace knarr::bundle {

namespace {

bool has_nul(std::string_view text) {
    return text.find('\0') != std::string_view::npos;
}

/// The environment in the making: later settings replace earlier ones in place.
class Environment {
public:
    void set(std::string_view setting) {
        const std::string_view name = setting.substr(0, setting.find('='));
        for (std::string& old : all_) {
            if (std::string_view(old).substr(0, old.find('=')) == name) {
                old = setting;
                return;
            }
        }
        all_.emplace_back(setting);
    }
    void set_default(std::string_view name, std::string_view value) {
        const std::string prefix = std::string(name) + "=";
        if (std::none_of(all_.begin(), all_.end(), [&](const std::string& one) {
                return one.starts_with(prefix);
            })) {
            all_.push_back(prefix + std::string(value));
        }
    }
    std::vector<std::string> take() && { return std::move(all_); }

private:
    std::vector<std::string> all_;
};

Result<std::vector<std::string>> make_env(const MakeInput& input,
                                          std::vector<std::string>& warnings) {
    Environment env;
    const ContainerSettings& settings = input.request.settings;
    const auto unset = [&](std::string_view name) {
        return settings.unset_all_env ||
               std::ranges::find(settings.unset_env, name) != settings.unset_env.end();
    };
    for (const std::string& setting : input.image.config.env) {
        // A name without a value never takes the host's value.
        if (setting.find('=') == std::string::npos || setting.front() == '=' || has_nul(setting)) {
            warnings.push_back(
                fmt::format("the image's Env entry \"{}\" is not NAME=value: left out",
                            printable(setting, 64)));
            continue;
        }
        if (!unset(std::string_view(setting).substr(0, setting.find('=')))) {
            env.set(setting);
        }
    }
    for (const std::string& setting : input.request.env) {
        if (setting.find('=') == std::string::npos || setting.front() == '=' || has_nul(setting)) {
            return fail(Errc::invalid_argument,
                        "environment \"{}\" is not NAME=value",
                        printable(setting, 64));
        }
        env.set(setting);
    }
    const auto usual = [&](std::string_view name, std::string_view value) {
        if (!unset(name)) {
            env.set_default(name, value);
        }
    };
    usual("PATH", kDefaultPath);
    usual("HOSTNAME", input.hostname);
    usual("HOME", input.user.home);
    if (input.request.terminal) {
        usual("TERM", "xterm");
    }
    return std::move(env).take();
}

Result<std::vector<std::string>> make_args(const MakeInput& input) {
    const RunRequest& request = input.request;
    auto [args, command] = words_of(request, input.image.config);
    args.insert(args.end(), command.begin(), command.end());
    if (args.empty() || args.front().empty()) {
        return fail(Error{
            .code = Errc::invalid_argument,
            .message = fmt::format("image {} names no program to run", printable(request.image)),
            .hint = "say one after the image: knarr run IMAGE COMMAND"});
    }
    if (request.settings.init) {
        args.insert(args.begin(), {std::string(kInitTarget), "--"});
    }
    if (std::any_of(args.begin(), args.end(), has_nul)) {
        return fail(Errc::invalid_image, "Entrypoint or Cmd: a NUL byte");
    }
    return args;
}

Result<std::string> make_cwd(const MakeInput& input) {
    const std::string& asked = input.request.workdir;
    if (!asked.empty()) {
        if (asked.front() != '/') {
            return fail(Errc::invalid_argument,
                        "working directory \"{}\" is not absolute",
                        printable(asked));
        }
        return asked;
    }
    const std::string& image = input.image.config.working_dir;
    if (has_nul(image) || image.size() > limits::kMaxPathBytes) {
        return fail(Errc::invalid_image, "WorkingDir: a NUL byte, or too long");
    }
    return image.starts_with('/') ? image : "/" + image;
}

Result<spec::Mount> volume_mount(const VolumeRequest& volume) {
    std::string target = KNARR_TRY(target_path(volume.target, "volume target"));
    std::vector<std::string> options{volume.recursive ? "rbind" : "bind"};
    options.push_back(volume.propagation.empty() ? "rprivate" : volume.propagation);
    if (volume.read_only) {
        options.push_back(volume.recursive ? "rro" : "ro");
    }
    options.insert(options.end(), volume.flags.begin(), volume.flags.end());
    return spec::Mount{.destination = std::move(target),
                       .type = "bind",
                       .source = volume.source,
                       .options = std::move(options),
                       .uid_mappings = {},
                       .gid_mappings = {}};
}

void add_name_file(std::vector<spec::Mount>& mounts,
                   std::string target,
                   const std::string& source,
                   bool read_only) {
    if (source.empty()) {
        return;
    }
    std::vector<std::string> options{"bind", "rprivate", "nosuid", "nodev", "noexec"};
    if (read_only) {
        options.emplace_back("ro");
    }
    mounts.push_back({.destination = std::move(target),
                      .type = "bind",
                      .source = source,
                      .options = std::move(options),
                      .uid_mappings = {},
                      .gid_mappings = {}});
}

Result<std::vector<spec::Mount>> make_mounts(const MakeInput& input) {
    const RunRequest& request = input.request;
    std::vector<spec::Mount> mounts = default_mounts();
    if (request.read_only && request.read_only_scratch) {
        for (spec::Mount& scratch : read_only_scratch()) {
            mounts.push_back(std::move(scratch));
        }
    }
    std::vector<spec::Mount> files;
    add_name_file(files, "/etc/resolv.conf", input.files.resolv_conf, request.read_only);
    add_name_file(files, "/etc/hostname", input.files.hostname, request.read_only);
    if (!request.settings.image_hosts) {
        add_name_file(files, "/etc/hosts", input.files.hosts, request.read_only);
    }
    if (request.settings.init) {
        files.push_back({.destination = std::string(kInitTarget),
                         .type = "bind",
                         .source = input.init_program,
                         .options = {"bind", "rprivate", "ro", "nosuid", "nodev"},
                         .uid_mappings = {},
                         .gid_mappings = {}});
    }

    std::vector<spec::Mount> volumes = KNARR_TRY(tmpfs_mounts(request.settings));
    for (const VolumeRequest& volume : request.volumes) {
        volumes.push_back(KNARR_TRY(volume_mount(volume)));
    }
    for (auto volume = volumes.begin(); volume != volumes.end(); ++volume) {
        const auto same = [&](const spec::Mount& other) {
            return other.destination == volume->destination;
        };
        if (std::any_of(volumes.begin(), volume, same)) {
            return fail(Errc::invalid_argument,
                        "two volumes have the target {}",
                        printable(volume->destination));
        }
        std::erase_if(mounts, same);  // the caller's volume takes the place of a default
        std::erase_if(files, same);
    }
    volumes.insert(volumes.begin(), files.begin(), files.end());
    // Outer targets first, or an inner one would be covered.
    std::ranges::stable_sort(volumes, {}, [](const spec::Mount& mount) {
        return std::ranges::count(mount.destination, '/');
    });
    std::move(volumes.begin(), volumes.end(), std::back_inserter(mounts));
    return mounts;
}

}  // namespace

Result<> check_memory(std::int64_t bytes) {
    constexpr std::int64_t kLeastBytes = 512 * std::int64_t{1024};
    if (bytes < kLeastBytes) {
        return fail(Errc::invalid_argument,
                    "--memory: {} bytes are less than {}, with which no container starts",
                    bytes,
                    kLeastBytes);
    }
    return {};
}

namespace {

Result<std::optional<spec::MemoryLimits>> make_memory(const MakeInput& input) {
    const Limits& limits = input.limits;
    std::optional<std::int64_t> bytes = input.request.memory_bytes;
    if (!bytes && limits.default_memory_bytes > 0) {
        bytes = limits.default_memory_bytes;
    }
    if (!bytes) {
        return std::nullopt;
    }
    KNARR_TRY(check_memory(*bytes));
    if (limits.max_memory_bytes > 0 && *bytes > limits.max_memory_bytes) {
        return fail(Errc::limit_exceeded,
                    "memory limit {} is above {}, the most that the policy {} allows",
                    *bytes,
                    limits.max_memory_bytes,
                    limits.policy);
    }
    spec::MemoryLimits memory;
    memory.limit = bytes;
    if (input.swap_accounting) {
        // Docker's and podman's rule: as much swap again. The value is memory and swap together.
        memory.swap = *bytes > INT64_MAX / 2 ? INT64_MAX : 2 * *bytes;
    }
    return memory;
}

Result<spec::Resources> make_resources(const MakeInput& input) {
    spec::Resources resources;
    resources.devices = default_device_rules();
    resources.memory = KNARR_TRY(make_memory(input));
    if (input.request.cpu_quota_us) {
        resources.cpu.emplace();
        resources.cpu->quota = input.request.cpu_quota_us;
        resources.cpu->period = kCpuPeriodUs;
    }
    const spec::BlockIoLimits& disks = input.device_limits;
    if (!disks.weight_devices.empty() || !disks.read_bps.empty() || !disks.write_bps.empty() ||
        !disks.read_iops.empty() || !disks.write_iops.empty()) {
        resources.block_io = disks;
    }
    resources.pids_limit = input.request.pids_limit.value_or(kDefaultPidsLimit);
    return resources;
}

std::vector<spec::Namespace> make_namespaces(NetworkMode network) {
    using spec::NamespaceType;
    std::vector<spec::Namespace> all;
    for (const NamespaceType type : {NamespaceType::pid,
                                     NamespaceType::ipc,
                                     NamespaceType::uts,
                                     NamespaceType::mount,
                                     NamespaceType::cgroup}) {
        all.push_back({.type = type, .path = {}});
    }
    if (network == NetworkMode::none) {
        all.push_back({.type = NamespaceType::network, .path = {}});
    }
    return all;
}

std::string root_path(const RootFs& rootfs) {
    if (const auto* overlay = std::get_if<OverlayRoot>(&rootfs)) {
        return overlay->merged;
    }
    return std::get<DirRoot>(rootfs).path;
}

}  // namespace

std::vector<std::string> default_capabilities() {
    return {"CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_FOWNER",
            "CAP_FSETID",
            "CAP_KILL",
            "CAP_NET_BIND_SERVICE",
            "CAP_SETFCAP",
            "CAP_SETGID",
            "CAP_SETPCAP",
            "CAP_SETUID",
            "CAP_SYS_CHROOT"};
}

Result<Made> make_bundle(MakeInput input) {
    const RunRequest& request = input.request;
    std::vector<std::string> warnings;
    spec::Process process;
    process.args = KNARR_TRY(make_args(input));
    process.env = KNARR_TRY(make_env(input, warnings));
    process.cwd = KNARR_TRY(make_cwd(input));
    process.terminal = request.terminal;
    process.user.uid = input.user.uid;
    process.user.gid = input.user.gid;
    process.user.additional_gids = input.user.groups;
    process.capabilities.emplace();  // inheritable and ambient: empty for all (CVE-2022-29162)

    spec::Linux linux_config;
    linux_config.resources = KNARR_TRY(make_resources(input));
    linux_config.namespaces = make_namespaces(request.network);
    linux_config.masked_paths = default_masked_paths();
    linux_config.readonly_paths = default_readonly_paths();

    spec::RuntimeConfig config;
    config.oci_version = "1.2.0";
    config.process = std::move(process);
    config.root = spec::Root{.path = root_path(input.rootfs), .readonly = request.read_only};
    config.hostname = input.hostname;
    config.mounts = KNARR_TRY(make_mounts(input));
    config.linux_ = std::move(linux_config);
    KNARR_TRY(apply_settings(request.settings, input.devices, config));
    if (input.seccomp_profile) {
        config.linux_->seccomp = choose_rules(
            *input.seccomp_profile, config.process->capabilities->bounding, input.kernel);
    }

    return Made{.bundle = {.directory = std::move(input.directory),
                           .config = std::move(config),
                           .rootfs = std::move(input.rootfs),
                           .isolation = request.isolation},
                .warnings = std::move(warnings)};
}

Words words_of(const RunRequest& request, const spec::ImageRunConfig& image) {
    Words words{.entrypoint = request.entrypoint.value_or(image.entrypoint),
                .command = request.command};
    if (request.command.empty() && !request.entrypoint) {
        words.command = image.cmd;
    }
    return words;
}

}  // namespace knarr::bundle
