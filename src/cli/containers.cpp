#include "cli/containers.h"

#include <cstdlib>

#include "core/text.h"
#include "platform/own_copy.h"
#include "platform/process.h"
#include "spec/json_writer.h"

namespace knarr::cli {

EngineOptions engine_options(Context& context) {
    Reporter& reporter = context.reporter;
    return {.root = context.globals.root,
            .data_root = context.globals.data_root,
            .warn = [&reporter](std::string_view text) { reporter.warn(text); },
            .rootless = context.globals.rootless,
            .cgroup_manager = context.globals.cgroup_manager,
            .before_seen = sys::run_from_unwritable_file,
            .policy = context.globals.policy,
            .snapshot_driver = context.globals.snapshot_driver,
            .monitor_log = context.globals.monitor_log,
            .about = [&reporter](std::string_view id) { reporter.container = id; }};
}

Result<Engine> open_engine(Context& context) {
    return Engine::open(engine_options(context));
}

std::string owner_name(std::uint32_t uid) {
    return uid == 0 ? "root" : fmt::format("#{}", uid);
}

namespace {

void write_state(spec::JsonWriter& json, const ContainerInfo& info) {
    json.begin_object();
    json.member("ociVersion", info.oci_version).member("id", info.id).member("pid", info.pid);
    if (!info.damage.empty()) {
        json.member("status", "damaged").member("damage", info.damage).end_object();
        return;
    }
    json.member("status", name_of(info.state)).member("bundle", info.bundle);
    json.member("rootfs", info.rootfs).member("created", info.created);
    if (!info.annotations.empty()) {
        json.member("annotations", info.annotations);
    }
    json.member("owner", owner_name(info.owner_uid));
    json.member("isolation", name_of(info.isolation));
    if (!info.name.empty()) {
        json.member("name", info.name);
    }
    if (!info.image.empty()) {
        json.member("image", info.image);
    }
    if (info.exit_code) {
        json.member("exitCode", *info.exit_code);
    }
    json.end_object();
}

}  // namespace

std::string state_json(const ContainerInfo& info) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    write_state(json, info);
    return std::move(json).text();
}

std::string list_json(const std::vector<ContainerInfo>& all) {
    spec::JsonWriter json;  // on one line, as runc has it
    json.begin_array();
    for (const ContainerInfo& info : all) {
        write_state(json, info);
    }
    json.end_array();
    return std::move(json).text();
}

Result<ServiceLinks> service_links() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    ServiceLinks links;
    links.notify_socket = variable("NOTIFY_SOCKET");
    const std::string count = variable("LISTEN_FDS");
    const std::string pid = variable("LISTEN_PID");
    if (count.empty() || (!pid.empty() && pid != fmt::format("{}", sys::own_pid()))) {
        return links;
    }
    const auto number = parse_number(count, kMaxPassedFds);
    if (!number) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format(
                              "LISTEN_FDS \"{}\" in the environment is not a number from 0 to {}",
                              printable(count),
                              kMaxPassedFds),
                          .hint = "unset LISTEN_FDS, or start knarr by what sets it"});
    }
    links.listen_fds = static_cast<unsigned>(*number);
    links.listen_names = links.listen_fds > 0 ? variable("LISTEN_FDNAMES") : "";
    return links;
}

Result<BundleRequest> bundle_request(const Parsed& args, std::string_view id) {
    BundleRequest request;
    request.id = id;
    request.bundle = args.get("bundle", ".");
    request.config = args.get("config");
    if (args.has("config") && request.config.empty()) {
        return fail(Errc::invalid_argument, "option --config is empty");
    }
    request.pid_file = args.get("pid-file");
    request.console_socket = args.get("console-socket");
    request.pidfd_socket = args.get("pidfd-socket");
    request.service = KNARR_TRY(service_links());
    request.preserve_fds =
        static_cast<unsigned>(KNARR_TRY(args.number("preserve-fds", kMaxPassedFds)).value_or(0));
    request.no_pivot = args.flag("no-pivot");
    request.no_new_keyring = args.flag("no-new-keyring");
    request.keep = args.flag("keep");
    request.isolation = KNARR_TRY(parse_isolation(args.get("isolation", "native")));
    return request;
}

Result<ListFormat> list_format(const Parsed& args) {
    const std::string_view format = args.flag("json") ? "json" : args.get("format", "table");
    if (format != "table" && format != "json") {
        return fail(
            Errc::invalid_argument, "--format \"{}\" is neither table nor json", printable(format));
    }
    return format == "json" ? ListFormat::json : ListFormat::table;
}

Result<int> for_each_container(Context& context,
                               const Parsed& args,
                               const std::function<Result<>(std::string_view id)>& work) {
    return for_each_named(context, args, "container ID", work);
}

Result<int> for_each_named(Context& context,
                           const Parsed& args,
                           std::string_view noun,
                           const std::function<Result<>(std::string_view name)>& work) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? {} is missing", noun);
    }
    return for_each_of(context, args.positionals, work);
}

int for_each_of(const Context& context,
                std::span<const std::string_view> names,
                const std::function<Result<>(std::string_view name)>& work) {
    int status = 0;
    for (const std::string_view name : names) {
        if (Result<> done = work(name); !done) {
            const bool stopped = done.error().code == Errc::interrupted;
            const int failure = report_failure(context, std::move(done).error());
            if (stopped) {
                return failure;
            }
            status = status == 0 ? failure : status;
        }
    }
    return status;
}

int for_each_of(const Context& context,
                const std::vector<std::string>& names,
                const std::function<Result<>(std::string_view name)>& work) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    return for_each_of(context, views, work);
}

}  // namespace knarr::cli
