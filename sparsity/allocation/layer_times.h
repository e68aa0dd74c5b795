// Layer times: how long each layer of a network takes at each sparsity, and their CSV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/graph/layers.h"

namespace sparsify {

/// What times depend on besides the network.
struct TimingSetting {
  int64_t batch = 1;  // images a run
  int threads = 1;
  std::string isa;        // "avx512"
  std::string processor;  // its model name
  bool winograd = false;  // dense layers might compute by Winograd's algorithm

  bool operator==(const TimingSetting&) const = default;
};

/// One layer in one plan. The steps behind it up to the next listed layer (additions, pooling,
/// layers that stay dense), and the changes of layout in front of it, are counted with it.
struct LayerTime {
  std::string layer;
  int64_t parameters = 0;  // of the layer's weight
  int64_t macs = 0;        // multiply-adds an image, dense
  double sparsity = 0;     // of its weight in this plan, fraction
  double ms = 0;
  std::string kernel;

  bool operator==(const LayerTime&) const = default;
};

/// A plan of the whole network, every listed layer pruned alike.
struct NetworkTimes {
  double level = 0;    // sparsity asked for, fraction; 0: the dense plan
  double rest_ms = 0;  // what comes before the first listed layer
  std::vector<LayerTime> layers;

  /// Of the whole plan, milliseconds.
  double Total() const;
  bool operator==(const NetworkTimes&) const = default;
};

struct LayerTimes {
  TimingSetting setting;
  std::vector<NetworkTimes> levels;  // increasing, the first is 0; the same layers in each

  bool operator==(const LayerTimes&) const = default;
};

/// A layer's time against its sparsity: linear between points, constant behind the last.
struct LayerTimeCurve {
  std::vector<double> sparsity;  // fractions, from 0, increasing
  std::vector<double> ms;        // not rising

  double At(double s) const;
};

/// CSV "level,layer,parameters,macs,sparsity,time_ms,kernel,batch,threads,isa,processor,winograd"
/// (1 or 0), a row a layer and level and one "(rest)" a level; level and sparsity in percent with
/// ten digits; written atomically. Writing what was read gives the same file.
void WriteLayerTimes(const LayerTimes& times, const std::string& path);

/// Such a file (further columns are ignored). Throws usage Errors "file:line: …" for a missing
/// column, a ragged row, a cell that is no number or out of range, rows of unlike settings, levels
/// that do not increase from 0 or list other layers than the first.
LayerTimes ReadLayerTimes(const std::string& path);

/// Why the times are not those of this network, these layers (`skipped` ones left out) and this
/// setting: "layer \"a\" is missing", "measured with batch 1, this run has 8"; empty when they are.
std::string TimesMismatch(const LayerTimes& times, const std::vector<Layer>& layers,
                          const std::vector<std::string>& skipped, const TimingSetting& setting);

/// The curve of the layer at `index` of every level. A level that prunes it no more than the one
/// before is left out. Where a time rises with sparsity, which is noise, neighbours are averaged
/// until none does (isotonic regression by pooling adjacent violators).
LayerTimeCurve CurveOf(const LayerTimes& times, size_t index);

}  // namespace sparsify
