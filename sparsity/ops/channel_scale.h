// Squeeze and excite on activations in channel blocks (channel_blocks.h): the mean of each channel,
// and a factor for each (Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018).
#pragma once

#include "sparsity/ops/op.h"

namespace sparsify {

/// GlobalAveragePool of blocks x (N×C×H×W); N×C×1×1 lies the same in both layouts.
void ChannelMeansBlocked(const Tensor& x, Tensor& means);
/// grad_x (sized as x), in blocks.
void ChannelMeansBlockedBackward(const Tensor& grad_means, Tensor& grad_x);

/// The input of a Mul that the other one, N×C×1×1, scales channel by channel: N×C×H×W with C a
/// multiple of the block; −1 when its shapes are others.
int ScaledInput(OpShapes inputs);

/// y = factors · x, both in blocks.
void ScaleChannelsBlocked(const Tensor& x, const Tensor& factors, Tensor& y);
/// Either gradient may be null: not wanted.
void ScaleChannelsBlockedBackward(const Tensor& x, const Tensor& factors, const Tensor& grad_y,
                                  Tensor* grad_x, Tensor* grad_factors);

}  // namespace sparsify
