#pragma once
// runtime: how a container of each kind of isolation is started and controlled.
//
//   Bundle + HostFacts -> plan (pure, one function per kind) -> LaunchPlan -> launch -> Launched
//
//   native/plan.h     a native container, of these parts:
//     native/namespaces.h native/id_maps.h     new and joined ones; who is who in a user namespace
//     native/mounts.h native/devices.h         options and mounts; nodes, and rules about access
//     native/identity.h native/annotations.h   user, capabilities, labels; crun's annotations
//     native/cgroup_plan.h native/user_cgroup.h    paths and texts; what was delegated to a user
//     native/systemd_unit.h native/intel_rdt.h     a scope of systemd; the class of resctrl
//     native/number_set.h                      lists of CPUs
//   native/exec_plan.h  a further process in a running one
//   native/update_plan.h  new limits of one       native/feature_names.h  what config.json may say
//   launch/plan.h     LaunchPlan: everything that a launch will do, as values in order;
//                     launch/plan_describe.h shows it
//   launch/launch.h   the one applier, with the drawing of parent and child:
//     launch/child.h launch/protocol.h         the child's side; what both say to each other
//     launch/host_mounts.h                     sources of mounts for another user namespace
//     launch/id_maps.h launch/net_devices.h    mappings written, launch/user_maps.h made;
//     interfaces launch/copy_up.h launch/listener.h       tmpcopyup; a filter's listener to its
//     agent launch/find_program.h launch/label_error.h   what is wrong with args[0]; with a label
//   select.cpp        the table of kinds that this build has
//
// A kind adds a plan and the set of things its Control can do, nothing else. Kinds that this build
// does not have are a typed error, never a fall to a weaker wall.

#include "bundle/bundle.h"
#include "platform/host_facts.h"
#include "runtime/native/exec_plan.h"
#include "runtime/native/plan.h"

namespace knarr::runtime {

/// One kind of isolation, as a row of the table in select.cpp.
struct Kind {
    Isolation isolation = Isolation::native;
    Result<LaunchPlan> (*plan)(const bundle::Bundle&,
                               const sys::HostFacts&,
                               const native::PlanOptions&) = nullptr;
    Result<LaunchPlan> (*plan_exec)(native::ExecInput, const sys::HostFacts&) = nullptr;
};

/// The kind's row. Errors: unsupported, saying which kinds this build has.
Result<const Kind*> select(Isolation isolation);

}  // namespace knarr::runtime
