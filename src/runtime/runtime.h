#pragma once
// runtime: how a container of each kind of isolation is started and controlled.
//
//   Bundle + HostFacts -> plan (pure, one function per kind) -> LaunchPlan -> launch -> Launched
//
// clang-format off
//   native/plan.h              a native container, of these parts:
//     native/namespaces.h        new and joined ones
//     native/id_maps.h           who is who in a user namespace
//     native/mounts.h            options and mounts
//     native/devices.h           nodes, and rules about access
//     native/identity.h          user, capabilities, labels
//     native/annotations.h       crun's
//     native/cgroup_plan.h       paths and texts
//     native/user_cgroup.h       what was delegated to a user
//     native/systemd_unit.h      a scope of systemd
//     native/intel_rdt.h         the class of resctrl
//     native/number_set.h        lists of CPUs
//   native/exec_plan.h         a further process in a running one
//   native/update_plan.h       new limits of one
//   native/feature_names.h     what config.json may say
//   launch/plan.h              LaunchPlan: everything that a launch will do, as values in order
//   launch/plan_describe.h     shows it
//   launch/launch.h            the one applier, with the drawing of parent and child:
//     launch/child.h             the child's side
//     launch/protocol.h          what both say to each other
//     launch/middle.h            clones through a process that enters namespaces
//     launch/host_mounts.h       sources of mounts for another user namespace
//     launch/id_maps.h           mappings written; launch/user_maps.h: made
//     launch/net_devices.h       interfaces of the host
//     launch/copy_up.h           tmpcopyup
//     launch/listener.h          a filter's listener to its agent
//     launch/find_program.h      what is wrong with args[0]
//     launch/label_error.h       what is wrong with a label
//   select.cpp                 the table of kinds that this build has
// clang-format on
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
