// The /graph and /weights parts of a checkpoint, and the checksums of its arrays.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/graph/graph.h"
#include "sparsity/io/hdf5_file.h"

namespace sparsify {

void WriteGraph(const Graph& graph, Hdf5File& file);
/// Values and nodes keep their order, and with it their ids. Throws Error naming the file and
/// the object when anything is missing, of another kind, damaged or no graph.
Graph ReadGraph(const Hdf5File& file);

/// Adds the attribute crc32 to an array just written.
void WriteChecksum(Hdf5File& file, const std::string& object);
/// Throws unless the array's attribute crc32 equals `actual`.
void CheckChecksum(const Hdf5File& file, const std::string& object, uint32_t actual);

/// A list of texts whose checksum is right.
std::vector<std::string> ReadTexts(const Hdf5File& file, const std::string& object);

/// CRC-32 of memory, as in the attribute crc32.
uint32_t Crc32Of(const void* bytes, size_t count);

/// An attribute that must be of one kind. `kind` names it in the message.
template <class T>
T GetAttributeAs(const Hdf5File& file, const std::string& object, const std::string& name,
                 std::string_view kind) {
  Hdf5Attribute value = file.GetAttribute(object, name);
  if (T* typed = std::get_if<T>(&value)) return std::move(*typed);
  Fail(file.path() + ":" + object, "attribute \"{}\" is not {}", name, kind);
}

}  // namespace sparsify
