// Any bytes as an image archive whose files are looked up.

#include <cstdint>
#include <cstdlib>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "image/archive_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const knarr::sys::Fd file(memfd_create("archive", MFD_CLOEXEC));
    if (!file.valid() || write(file.get(), data, size) != static_cast<ssize_t>(size)) {
        std::abort();
    }
    const auto index = knarr::image::ArchiveIndex::read(file, size);
    if (index) {
        for (const char* name : {"manifest.json", "index.json", "oci-layout", "a", "../a"}) {
            const auto entry = index->find(name);
            if (entry && (entry->offset > size || entry->size > size - entry->offset)) {
                std::abort();
            }
        }
    }
    return 0;
}
