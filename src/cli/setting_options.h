#pragma once
// The options of `run` and `create` of an image that say what surrounds its program, and their
// values as docker spells them.

#include <array>

#include "cli/verb.h"
#include "knarr/run.h"

namespace knarr::cli {

/// Reads all of them into `request`, which has its network already; what is worth saying goes into
/// `warnings`. Errors: invalid_argument, unsupported, each naming the option.
Result<> parse_settings(const Parsed& args,
                        RunRequest& request,
                        std::vector<std::string>& warnings);

/// "DIR[:OPTION,...]" of --tmpfs.
Result<TmpfsRequest> parse_tmpfs(std::string_view text);
/// "HOST[:TARGET][:rwm]" of --device.
Result<DeviceRequest> parse_device(std::string_view text);
/// "NAME=SOFT[:HARD]" of --ulimit; -1 is none.
Result<UlimitRequest> parse_ulimit(std::string_view text);
/// "NAME:ADDRESS" or "NAME=ADDRESS" of --add-host, as NAME:ADDRESS.
Result<std::string> parse_host(std::string_view text);
/// One of --security-opt.
Result<> parse_security(std::string_view text,
                        SecuritySettings& security,
                        std::vector<std::string>& warnings);
/// The settings of an --env-file or --label-file: a line each, blank ones and those that begin with
/// # left out. Errors: invalid_argument naming the line.
Result<std::vector<std::string>> parse_settings_file(std::string_view text,
                                                     std::string_view path,
                                                     std::string_view option);

/// "NAME=value" as it is, of NAME alone the caller's own value, of NAME* all of the caller's that
/// begin so; none where the caller has none.
std::vector<std::string> env_settings(std::string_view setting);
/// --env-file and --env as "NAME=value"; NAME alone takes the caller's own value, and is left out
/// without one.
Result<std::vector<std::string>> parse_whole_env(const Parsed& args);

inline constexpr std::array kSettingOptions{
    Option{.name = "env-file",
           .value = "FILE",
           .help = "variables, a line each; --env goes before",
           .repeatable = true},
    Option{.name = "label",
           .letter = 'l',
           .value = "KEY=VALUE",
           .help = "a label, shown by inspect and chosen by ps --filter",
           .repeatable = true},
    Option{.name = "label-file",
           .value = "FILE",
           .help = "labels, a line each; --label goes before",
           .repeatable = true},
    Option{.name = "annotation",
           .value = "KEY=VALUE",
           .help = "an annotation of the OCI configuration",
           .repeatable = true},
    Option{.name = "tmpfs",
           .value = "DIR[:OPTS]",
           .help = "an empty directory in memory; OPTS as mount's: size=64m,mode=1777",
           .repeatable = true},
    Option{.name = "shm-size", .value = "SIZE", .help = "of /dev/shm", .fallback = "64m"},
    Option{.name = "device",
           .value = "HOST[:DIR][:rwm]",
           .help = "a device of the host, or all of a directory",
           .repeatable = true},
    Option{.name = "cap-add",
           .value = "CAP",
           .help = "a capability more, with the system calls that it is for; ALL",
           .repeatable = true},
    Option{
        .name = "cap-drop", .value = "CAP", .help = "a capability less; ALL", .repeatable = true},
    Option{.name = "privileged",
           .help = "everything: root in the container is then root of the host"},
    Option{.name = "security-opt",
           .value = "OPT",
           .help = "no-new-privileges=false, seccomp=FILE|unconfined, apparmor=PROFILE, "
                   "systempaths=unconfined",
           .repeatable = true},
    Option{.name = "ulimit",
           .value = "NAME=SOFT[:HARD]",
           .help = "a limit of setrlimit(2): nofile=1024:4096",
           .repeatable = true},
    Option{.name = "sysctl",
           .value = "NAME=VALUE",
           .help = "a kernel setting of the container's own namespaces",
           .repeatable = true},
    Option{.name = "add-host",
           .value = "NAME:ADDRESS",
           .help = "a line of /etc/hosts",
           .repeatable = true},
    Option{.name = "dns",
           .value = "ADDRESS",
           .help = "a name server in /etc/resolv.conf",
           .repeatable = true},
    Option{.name = "dns-search",
           .value = "DOMAIN",
           .help = "where names are looked for; . for nowhere",
           .repeatable = true},
    Option{.name = "dns-option",
           .value = "OPT",
           .help = "an option of resolv.conf(5)",
           .repeatable = true},
    Option{.name = "dns-opt", .value = "OPT", .help = "the same", .repeatable = true},
    Option{.name = "domainname", .value = "NAME", .help = "the container's NIS domain"},
    Option{.name = "group-add",
           .value = "GROUP",
           .help = "a group more; a name of the image or a number",
           .repeatable = true},
    Option{.name = "init", .help = "pid 1 is a program that reaps and hands signals on"},
    Option{.name = "pid", .value = "MODE", .help = "host: sees and signals the host's processes"},
    Option{.name = "ipc",
           .value = "MODE",
           .help = "private, or host: shares the host's memory segments",
           .fallback = "private"},
    Option{.name = "uts", .value = "MODE", .help = "host: has the host's name"},
    Option{.name = "cgroupns",
           .value = "MODE",
           .help = "private, or host: sees the host's cgroup paths",
           .fallback = "private"},
    Option{.name = "publish",
           .letter = 'p',
           .value = "[HOST:]PORT",
           .help = "with --network host no effect; else not built yet",
           .repeatable = true},
    Option{.name = "publish-all",
           .letter = 'P',
           .help = "with --network host no effect; else not built yet"},
    Option{.name = "expose",
           .value = "PORT",
           .help = "noted: inspect shows it, ps --filter expose finds it",
           .repeatable = true},
    Option{.name = "umask", .value = "MODE", .help = "of the program, octal", .fallback = "0022"},
    Option{.name = "personality",
           .value = "DOMAIN",
           .help = "LINUX32: the machine calls itself a 32-bit one",
           .fallback = "LINUX"},
    Option{.name = "unsetenv",
           .value = "NAME",
           .help = "a variable of the image's that it does not get",
           .repeatable = true},
    Option{.name = "unsetenv-all", .help = "none of the image's variables"},
    Option{.name = "no-hosts", .help = "/etc/hosts is the image's own"},
    Option{.name = "read-only-tmpfs",
           .help = "=false: with --read-only nothing can be written, not even /tmp",
           .fallback = "true"},
    Option{.name = "userns", .value = "MODE", .help = "host: no user namespace, as without it"},
    Option{.name = "disable-content-trust", .help = "no effect", .fallback = "true"},
};

}  // namespace knarr::cli
