// The image is put together as a docker archive of one image: a configuration made here, and the
// input as its only layer. From there on it is stored and unpacked as any other one.
#include "image/import.h"

#include "core/core.h"
#include "image/archive_input.h"
#include "image/docker_archive.h"
#include "image/import_change.h"
#include "image/platform.h"
#include "image/reference.h"
#include "platform/file.h"
#include "platform/spawn.h"
#include "spec/json_writer.h"

namespace knarr::image {

namespace {

const std::string kConfigName = "config.json", kLayerName = "layer";

/// The two files of such an archive.
class ImportTree final : public FileTree {
public:
    ImportTree(sys::Fd config, sys::Fd layer)
        : config_(std::move(config)), layer_(std::move(layer)) {}

    Result<FileSlice> open(const std::string& name) const override {
        if (name != kConfigName && name != kLayerName) {
            return fail(Errc::invalid_image, "there is no file {} in it", printable(name));
        }
        const sys::Fd& file = name == kConfigName ? config_ : layer_;
        const auto size = static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
        sys::Fd copy = KNARR_TRY(sys::duplicate(file));
        return FileSlice{.file = std::move(copy), .offset = 0, .size = size};
    }

private:
    sys::Fd config_, layer_;
};

/// The digest of the tar inside the input.
Result<spec::Digest> diff_id_of(const sys::Fd& input,
                                const Limits& limits,
                                const Deadline& deadline) {
    const Packing packing = KNARR_TRY(packing_of(input));
    KNARR_TRY(refuse_other_packing(packing, "knarr image import -"));
    layer::WrittenTar tar = KNARR_TRY(inflate(input, nullptr, limits.max_layer_bytes, deadline));
    return std::move(tar.diff_id);
}

void write_keys(spec::JsonWriter& json,
                std::string_view name,
                const std::vector<std::string>& keys) {
    if (keys.empty()) {
        return;
    }
    json.key(name).begin_object();
    for (const std::string& key : keys) {
        json.key(key).begin_object().end_object();
    }
    json.end_object();
}

void write_list(spec::JsonWriter& json,
                std::string_view name,
                const std::vector<std::string>& list) {
    if (!list.empty()) {
        json.member(name, list);
    }
}

void write_text(spec::JsonWriter& json, std::string_view name, const std::string& text) {
    if (!text.empty()) {
        json.member(name, text);
    }
}

/// Source: image-spec config.md.
std::string config_json(const ImportRequest& request,
                        const spec::ImageRunConfig& run,
                        const spec::Platform& platform,
                        const spec::Digest& diff_id) {
    const std::string now = format_time(system_clock().wall());
    spec::JsonWriter json;
    json.begin_object().member("created", now);
    json.member("architecture", platform.architecture).member("os", platform.os);
    write_text(json, "variant", platform.variant);
    json.key("config").begin_object();
    write_text(json, "User", run.user);
    write_keys(json, "ExposedPorts", run.exposed_ports);
    write_list(json, "Env", run.env);
    write_list(json, "Entrypoint", run.entrypoint);
    write_list(json, "Cmd", run.cmd);
    write_keys(json, "Volumes", run.volumes);
    write_text(json, "WorkingDir", run.working_dir);
    if (!run.labels.empty()) {
        json.member("Labels", run.labels);
    }
    write_text(json, "StopSignal", run.stop_signal);
    json.end_object();
    json.key("rootfs").begin_object().member("type", "layers");
    json.member("diff_ids", std::vector<std::string>{diff_id.text()}).end_object();
    json.key("history").begin_array().begin_object().member("created", now);
    const std::string from = request.path.empty() ? std::string("-") : request.path;
    json.member("comment", request.message.empty() ? "Imported from " + from : request.message);
    json.end_object().end_array().end_object();
    return std::move(json).text();
}

Result<spec::Platform> platform_of(const ImportRequest& request) {
    if (!request.platform.empty()) {
        return parse_platform(request.platform);
    }
    return host_platform(KNARR_TRY(sys::machine_name()));
}

Result<std::string> name_of(const ImportRequest& request) {
    if (request.reference.empty()) {
        return std::string();
    }
    const Reference reference = KNARR_TRY(Reference::parse(request.reference));
    if (reference.digest()) {
        return fail(Errc::invalid_argument,
                    "{} has a digest, which is not a name to give",
                    printable(request.reference));
    }
    return reference.text();
}

}  // namespace

Result<Image> import_image(const store::Store& store,
                           const store::Lease& lease,
                           const ImportRequest& request,
                           const Limits& limits,
                           const PullProgressFn& progress) {
    const std::string label = request.path.empty() ? "standard input" : printable(request.path);
    const std::string name = KNARR_TRY(name_of(request), "import {}", label);
    const spec::Platform platform = KNARR_TRY(platform_of(request), "import {}", label);
    spec::ImageRunConfig run;
    for (const std::string& change : request.changes) {
        KNARR_TRY(apply_change(change, run), "import {}", label);
    }
    PullOptions options;
    options.snapshot_driver = request.snapshot_driver;
    options.platform = to_text(platform);
    options.timeout = request.timeout;
    const Deadline deadline = deadline_of(options, system_clock().steady());
    sys::Fd input = KNARR_TRY(open_input(request.path), "import");
    sys::Fd layer =
        KNARR_TRY(regular_file(store, std::move(input), limits, deadline), "import {}", label);
    const spec::Digest diff_id = KNARR_TRY(diff_id_of(layer, limits, deadline), "import {}", label);
    sys::Fd config = KNARR_TRY(unnamed_file(store), "import {}", label);
    KNARR_TRY(
        sys::write_all(config, config_json(request, run, platform, diff_id)), "import {}", label);
    SliceDigests digests;
    const auto source = KNARR_TRY(
        open_docker_entry(std::make_shared<ImportTree>(std::move(config), std::move(layer)),
                          {.config = kConfigName, .repo_tags = {}, .layers = {kLayerName}},
                          name,
                          digests),
        "import {}",
        label);
    TimedSource timed(*source, deadline);
    return KNARR_TRY(pull_from(timed, store, lease, options, limits, progress), "import {}", label);
}

}  // namespace knarr::image
