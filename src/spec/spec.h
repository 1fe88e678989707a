#pragma once
// spec: bytes <-> values. The only room that knows JSON; no kernel, no files, no policy.
//
//   runtime_config.h  config.json of a bundle (runtime-spec 1.3), whole, both directions
//   resources.h       its linux.resources alone
//   seccomp_profile.h profiles of seccomp as Docker has them in files
//   image.h           manifests, indexes, image configs (OCI 1.1 and Docker schema 2), digests
//   oci_layout.h      images as files: oci-layout, docker-archive
//   referrers.h       the list of what has a manifest as its subject
//   registry.h        tokens, error bodies, credentials files
//   toml.h            TOML as checked values: what operators write about registries
//   wasm.h            images of WebAssembly modules
//   json_reader.h     a checked JSON value, for the records that other rooms keep
//   json_writer.h     JSON text, for records and --json output
//   json_copy.h       a part of a document, written again
//   json_fields.h     one list of fields for both directions; such lists are
//                     runtime_linux_fields.h runtime_process_fields.h runtime_resource_fields.h
//   json_tree.h utf8.h  what a checked value stands on: the parsed tree, valid texts
//
// Rules: unknown members are ignored; a wrong type, a value out of range, an unknown name or a
// contradiction is refused, and the error names the JSON path. Every decoder bounds its input by
// core/limits.h. The list of a struct's fields stands once, in *_fields.h, for both directions.

#include "spec/image.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"
#include "spec/oci_layout.h"
#include "spec/referrers.h"
#include "spec/registry.h"
#include "spec/runtime_config.h"
