// The roofline picture: how near the layers of a level come to the peaks of the machine.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sparsity/report/csv.h"
#include "sparsity/report/svg.h"

namespace sparsify {

/// Executed GFLOP/s over FLOP/byte, both logarithmic: a dot for each row of `layers` (columns of
/// layers.csv) that has a rate, sparse and dense kernels as two series, under the ceilings of
/// arithmetic (`gflops`) and memory (`gigabytes_per_second`). Without dots or without peaks the
/// plot has no points. After S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful
/// visual performance model for multicore architectures", CACM 52(4), 2009.
Plot RooflinePlot(const CsvTable& layers, double gflops, double gigabytes_per_second,
                  const std::string& title);

/// A picture for each sparsity that has one: layers and speedup as LayerTable and SpeedupTable
/// make them, the peaks those of a sparsity's first row in `speedup`, which its layers are of.
std::vector<Plot> RooflinePlots(const CsvTable& layers, const CsvTable& speedup);

/// Name and value for each instruction set and number of threads in `speedup`, once.
std::vector<std::vector<std::string>> PeakRows(const CsvTable& speedup);

}  // namespace sparsify
