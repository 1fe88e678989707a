#include "engine/run_again.h"

#include <fcntl.h>

#include "bundle/read.h"
#include "core/clock.h"
#include "engine/background.h"
#include "engine/container_data.h"
#include "engine/destroy.h"
#include "engine/ending.h"
#include "engine/event_log.h"
#include "engine/owner.h"
#include "layer/base.h"
#include "layer/stored.h"
#include "platform/absent.h"
#include "platform/file.h"
#include "platform/task.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

/// overlayfs marks what was mounted without being synced (`--rm`), and does not mount it again: the
/// host may have crashed meanwhile. This one was unmounted, and nothing of it is lost.
Result<> clear_unsynced_mark(const std::string& work) {
    auto dir = sys::open_path(work + "/work", O_RDONLY | O_DIRECTORY);
    if (!dir) {
        return sys::is_absent(dir.error()) ? Result<>{} : fail(std::move(dir).error());
    }
    return sys::remove_tree_at(*dir, "incompat");
}

}  // namespace

Result<> run_again(const Context& context,
                   const std::string& data_dir,
                   Held held,
                   AttachedEnds attached) {
    Record& record = held.record;
    const std::string data_root = KNARR_TRY(sys::absolute(data_dir));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const ContainerUse use = KNARR_TRY(read_use(data_root, record.id));
    bundle::Bundle bundle = KNARR_TRY(bundle::read_bundle(record.data_dir));
    const auto layers = KNARR_TRY(layer::MountedLayers::mount(store, use.chain));
    KNARR_TRY(layer::make_base(data_root));
    bundle::OverlayRoot root = planned_root(layers.lowers(), record.data_dir);
    root.discard = record.auto_remove;
    if (root.discard) {
        KNARR_TRY(
            do_as_owner([&] { return clear_unsynced_mark(root.work); }), "container {}", record.id);
    }
    bundle.rootfs = std::move(root);
    bundle.isolation = record.isolation;
    Life life = *record.life;
    life.monitored = true;
    if (is_end_untold(record, held.live)) {
        note_end(record, std::nullopt, format_time(system_clock().wall()));
        note_end_event(context, record);
    }
    if (record.status != ContainerState::stopped || record.cgroup) {
        // Its last launch or monitor was killed, or could not remove all: that must go first.
        KNARR_TRY(end_run(context, held.dir, record), "container {}", record.id);
    }
    return run_in_background(context,
                             NewContainer{.id = KNARR_TRY(ContainerId::parse(record.id)),
                                          .name = record.name,
                                          .bundle = std::move(bundle),
                                          .image = record.image,
                                          .data_dir = record.data_dir,
                                          .auto_remove = record.auto_remove,
                                          .life = std::move(life),
                                          .before = FromBefore{.dir = std::move(held.dir),
                                                               .created = record.created,
                                                               .exit_code = record.exit_code},
                                          .attached = std::move(attached)});
}

Result<> run_as_before(const Context& context, Held held) {
    Context before = context;
    before.rootless = held.record.life->rootless;
    before.cgroup_manager = held.record.life->cgroup_manager;
    const std::string data_root = data_root_of(held.record.data_dir);
    return run_again(before, data_root, std::move(held));
}

}  // namespace knarr::engine
