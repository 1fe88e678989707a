#include <cerrno>

#include "bundle/template.h"
#include "cli/containers.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "spec/runtime_config.h"

namespace knarr::cli {

namespace {

constexpr const char* kFallbackName = "config.json";

constexpr std::array kOptions{
    Option{.name = "bundle",
           .letter = 'b',
           .value = "DIR",
           .help = "where to write config.json",
           .fallback = "the current directory"},
    Option{.name = "file",
           .letter = 'f',
           .value = "NAME",
           .help = "another name for it",
           .fallback = kFallbackName},
    Option{.name = "rootless",
           .help = "for an ordinary user: a user namespace in which you are root"},
};

Result<int> run_spec(Context&, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const std::string path(args.get("bundle", ".")), name(args.get("file", kFallbackName));
    if (name.empty() || name.find('/') != std::string::npos) {
        return fail(Errc::invalid_argument,
                    "option --file: \"{}\" is no name of a file in --bundle",
                    printable(name));
    }
    const sys::Fd dir = KNARR_TRY(sys::open_path(path, O_RDONLY | O_DIRECTORY), "bundle {}", path);
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    spec::RuntimeConfig config = args.flag("rootless")
                                     ? bundle::rootless_template_config(host.uid, host.gid)
                                     : bundle::template_config();
    if (host.cgroup_layout != sys::CgroupLayout::v2) {
        // As in runc's: on v1, programs know their cgroups by the host's paths.
        std::erase_if(config.linux_->namespaces, [](const spec::Namespace& one) {
            return one.type == spec::NamespaceType::cgroup;
        });
    }
    Result<sys::Fd> file = sys::open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!file && file.error().sys_errno == EEXIST) {
        return fail(Error{.code = Errc::already_exists,
                          .message = fmt::format("{}/{} is there already", path, printable(name)),
                          .hint = "move it away: it is not overwritten"});
    }
    if (!file) {
        return fail(std::move(file).error());
    }
    if (const Result<> written = sys::write_all(*file, spec::encode_runtime_config(config) + "\n");
        !written) {
        static_cast<void>(sys::unlink_at(dir, name));
        return fail(written.error());
    }
    return 0;
}

}  // namespace

constexpr Verb kSpec{
    .name = "spec",
    .synopsis = "[--bundle DIR] [--file NAME] [--rootless]",
    .summary = "write a config.json to begin with",
    .about =
        "Writes a config.json that runs `sh` in the directory rootfs beside it, with a terminal.\n"
        "One that is there already is never overwritten.",
    .example = "knarr spec --bundle /bundles/web",
    .options = kOptions,
    .run = run_spec,
};

}  // namespace knarr::cli
