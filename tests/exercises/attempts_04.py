"""Attempts at the exercises of chapter 04."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.exercises import chapter_04
from course_utils.models.attention import Attention, enlarge, halve
from course_utils.models.mtan import MTAN, AttentionTransforms, Shared, TaskAttention
from course_utils.models.segnet import LEVELS, Decoder, Encoder, Head, convolution, filters_at, initialise, pool, unpool
from tests.exercises.attempts import right, wrong

# --- 04.attention_mask ---


@wrong("04.attention_mask", "sigmoid forgotten", "logits")
def _(u, W):
    return torch.einsum("oc,bchw->bohw", W, u)


@wrong("04.attention_mask", "softmax over the channels", "sum to 1 over the channels")
def _(u, W):
    return torch.softmax(torch.einsum("oc,bchw->bohw", W, u), dim=1)


@wrong("04.attention_mask", "softmax over the pixels", "sums to 1 over the pixels")
def _(u, W):
    logits = torch.einsum("oc,bchw->bohw", W, u)
    return torch.softmax(logits.flatten(2), dim=2).view_as(logits)


@wrong("04.attention_mask", "matrix transposed", "transposed")
def _(u, W):
    return torch.sigmoid(torch.einsum("co,bchw->bohw", W, u))


@wrong("04.attention_mask", "one channel", "one channel")
def _(u, W):
    return torch.sigmoid(torch.einsum("oc,bchw->bohw", W, u).mean(dim=1, keepdim=True))


@wrong("04.attention_mask", "one value per channel", "none per pixel")
def _(u, W):
    return torch.sigmoid(u.mean(dim=(2, 3)) @ W.T)[:, :, None, None]


@wrong("04.attention_mask", "attended already", "mask alone")
def _(u, W):
    return u * torch.sigmoid(torch.einsum("oc,bchw->bohw", W, u))


@wrong("04.attention_mask", "hard gate", "hard gate")
def _(u, W):
    return (torch.einsum("oc,bchw->bohw", W, u) > 0).float()


@wrong("04.attention_mask", "sign forgotten in the exponential", "wrong way round")
def _(u, W):
    return 1 / (1 + torch.exp(torch.einsum("oc,bchw->bohw", W, u)))


@wrong("04.attention_mask", "tanh", "not in 0..1")
def _(u, W):
    return torch.tanh(torch.einsum("oc,bchw->bohw", W, u))


@wrong("04.attention_mask", "hard sigmoid", "not the sigmoid")
def _(u, W):
    return F.hardsigmoid(torch.einsum("oc,bchw->bohw", W, u))


@wrong("04.attention_mask", "sigmoid by exponentials that overflow", "NaN")
def _(u, W):
    power = torch.exp(torch.einsum("oc,bchw->bohw", W, u))
    return power / (1 + power)


@wrong("04.attention_mask", "detached", "no gradient")
def _(u, W):
    return torch.sigmoid(F.conv2d(u, W[:, :, None, None]).detach())


@wrong("04.attention_mask", "pixels behind one another", "[B, channels, h, w]")
def _(u, W):
    return torch.sigmoid(W @ u.flatten(2))


@right("04.attention_mask", "convolution and own sigmoid")
def _(u, W):
    return 1 / (1 + torch.exp(-F.conv2d(u, W[:, :, None, None])))


@right("04.attention_mask", "channels last, a matrix product")
def _(u, W):
    return (u.movedim(1, -1) @ W.T).movedim(-1, 1).sigmoid()


# --- 04.attend ---


@wrong("04.attend", "no refusal", "stretched silently")
def _(mask, p):
    return mask * p


@wrong("04.attend", "residual", "residual form")
def _(mask, p):
    return (1 + mask) * p


@wrong("04.attend", "sum", "added")
def _(mask, p):
    return mask + p


@wrong("04.attend", "hard", "hard gate")
def _(mask, p):
    return torch.where(mask > 0.5, p, 0.0)


@wrong("04.attend", "sigmoid again", "once more")
def _(mask, p):
    return torch.sigmoid(mask) * p


@wrong("04.attend", "assert", "AssertionError")
def _(mask, p):
    assert mask.shape == p.shape
    return mask * p


@wrong("04.attend", "in place", "changed afterwards")
def _(mask, p):
    p *= mask
    return p


@wrong("04.attend", "detached mask", "no gradient reaches the mask")
def _(mask, p):
    if mask.shape != p.shape:
        raise ValueError("shapes differ")
    return mask.detach() * p


@wrong("04.attend", "only the channels compared", "per channel")
def _(mask, p):
    if mask.shape[1] != p.shape[1]:
        raise ValueError("channels differ")
    return mask * p


@wrong("04.attend", "the message returned", "one channel is stretched silently")
def _(mask, p):
    if mask.shape != p.shape:
        return ValueError("shapes differ")
    return mask * p


@right("04.attend", "einsum, sizes compared one by one")
def _(mask, p):
    if mask.dim() != p.dim() or any(a != b for a, b in zip(mask.size(), p.size(), strict=True)):
        raise ValueError(f"the mask has {list(mask.shape)}, p has {list(p.shape)}")
    return torch.einsum("bchw,bchw->bchw", mask, p)


# --- 04.AttentionModule ---


class Gate(nn.Module):
    """The given lines of the exercise; a student fills in `build` and `see`."""

    def __init__(self, inputs, channels, residual=False):
        super().__init__()
        self.residual = residual
        self.build(inputs, channels)

    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())

    def see(self, source, shared):
        return self.mask(self.hidden(source))

    def forward(self, source, shared):
        mask = self.see(source, shared)
        attended = (mask + 1) * shared if self.residual else mask * shared
        return Attention(shared, mask, attended)


@wrong("04.AttentionModule", "sigmoid forgotten", "sigmoid of h is missing")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels))


@wrong("04.AttentionModule", "g taken twice, then sigmoid", "below one half")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(convolution(channels, channels, kernel=1), nn.Sigmoid())


@wrong("04.AttentionModule", "ReLU for sigmoid", "ends in a ReLU")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = convolution(channels, channels, kernel=1)


@wrong("04.AttentionModule", "batch normalisation after the sigmoid", "after the sigmoid")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid(), nn.BatchNorm2d(channels))


@wrong("04.AttentionModule", "one mask channel", "one channel")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())


@wrong("04.AttentionModule", "softmax over the channels", "sum to 1 over the channels")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Softmax(dim=1))


@wrong("04.AttentionModule", "kernel size 3", "neighbouring pixels")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels)
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())


@wrong("04.AttentionModule", "no batch normalisation in h", "found 1 batch normalisation")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, channels, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid())


@wrong("04.AttentionModule", "layers in a plain list", "no parameters")
class _(Gate):
    def build(self, inputs, channels):
        self.layers = [convolution(inputs, channels, 1), nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels)]

    def see(self, source, shared):
        for layer in self.layers:
            source = layer(source)
        return source.sigmoid()


@wrong("04.AttentionModule", "ReLU of g forgotten", "ReLU of g is missing")
class _(Gate):
    def build(self, inputs, channels):
        self.g = nn.Sequential(nn.Conv2d(inputs, channels, 1), nn.BatchNorm2d(channels))
        self.h = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())

    def see(self, source, shared):
        return self.h(self.g(source))


@wrong("04.AttentionModule", "hidden layer as wide as the input", "parameters for 6 inputs")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = convolution(inputs, inputs, kernel=1)
        self.mask = nn.Sequential(nn.Conv2d(inputs, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())


@wrong("04.AttentionModule", "detached", "no gradient can flow through the mask")
class _(Gate):
    def see(self, source, shared):
        return self.mask(self.hidden(source)).detach()


@wrong("04.AttentionModule", "detached input", "no gradient reaches the source")
class _(Gate):
    def see(self, source, shared):
        return self.mask(self.hidden(source.detach()))


@wrong("04.AttentionModule", "no biases", "no bias")
class _(Gate):
    def build(self, inputs, channels):
        self.hidden = nn.Sequential(nn.Conv2d(inputs, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
        self.mask = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.Sigmoid()
        )


@wrong("04.AttentionModule", "the mask alone", "expected an Attention")
class _(Gate):
    def forward(self, source, shared):
        return self.see(source, shared)


@wrong("04.AttentionModule", "masked twice", "leave the given lines")
class _(Gate):
    def forward(self, source, shared):
        mask = self.see(source, shared)
        return Attention(shared, mask, mask * shared * mask)


@wrong("04.AttentionModule", "h made before g", "before g's")
class _(Gate):
    def build(self, inputs, channels):
        self.mask = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())
        self.hidden = convolution(inputs, channels, kernel=1)


@wrong("04.AttentionModule", "an instance", "class derived from nn.Module")
def _(inputs, channels, residual=False):
    return Gate(inputs, channels, residual)


@right("04.AttentionModule", "layers one by one, functions between")
class _(nn.Module):
    def __init__(self, inputs, channels, residual=False):
        super().__init__()
        self.residual = residual
        self.conv1, self.conv2 = nn.Conv2d(inputs, channels, 1), nn.Conv2d(channels, channels, 1)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, source, shared):
        mask = torch.sigmoid(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(source))))))
        factor = mask + 1 if self.residual else mask
        return Attention(shared, mask, shared * factor)


@right("04.AttentionModule", "one Sequential for everything")
class _(Gate):
    def build(self, inputs, channels):
        one, two = nn.Conv2d(inputs, channels, 1), nn.Conv2d(channels, channels, 1)
        norms = [nn.BatchNorm2d(channels) for _ in range(2)]
        self.path = nn.Sequential(one, norms[0], nn.ReLU(), two, norms[1], nn.Sigmoid())

    def see(self, source, shared):
        return self.path(source)


# --- 04.channel_table ---


def table(filters, u_down=None, v_down=None, u_up=None, v_up=None, p_up=None, first=0):
    """The course's table, with some columns as a student might think."""
    shallower = [filters[0], *filters[:-1]]
    rows = {}
    for j in LEVELS:
        u, v = (u_down or filters)[j], (v_down or filters)[j]
        rows[f"encoder{j + 1}"] = (u, first if j == 0 else v, filters[j])
        rows[f"decoder{j + 1}"] = ((u_up or filters)[j], (v_up or shallower)[j], (p_up or shallower)[j])
    return rows


def before(filters):
    return [filters[0], *filters[:-1]]


@wrong("04.channel_table", "v at the first level", "encoder1: no task has attended")
def _(filters):
    return table(filters, first=filters[0])


@wrong("04.channel_table", "v as it was a level before", "encoder2: v has passed f")
def _(filters):
    return table(filters, v_down=before(filters))


@wrong("04.channel_table", "u is the block's input", "encoder1: u is no image")
def _(filters):
    return table(filters, u_down=[3, *filters[:-1]])


@wrong("04.channel_table", "u is the block's input, but for the first", "encoder2: u comes after")
def _(filters):
    return table(filters, u_down=before(filters))


@wrong("04.channel_table", "decoder's u after the convolution", "decoder4: u is the unpooled")
def _(filters):
    return table(filters, u_up=before(filters))


@wrong("04.channel_table", "decoder's v before f", "decoder4: v has passed f")
def _(filters):
    return table(filters, v_up=filters)


@wrong("04.channel_table", "decoder like the encoder", "decoder4: p is the output")
def _(filters):
    return table(filters, p_up=filters, v_up=filters)


@wrong("04.channel_table", "u and v exchanged in the decoder", "decoder4: u is the unpooled")
def _(filters):
    return {level: (v, u, p) if "decoder" in level else (u, v, p) for level, (u, v, p) in table(filters).items()}


@wrong("04.channel_table", "levels from 0", "expected ten")
def _(filters):
    return {level[:-1] + str(int(level[-1]) - 1): row for level, row in table(filters).items() if "en" in level}


@wrong("04.channel_table", "the sum only", "three numbers")
def _(filters):
    return {level: (u + v, p) for level, (u, v, p) in table(filters).items()}


@wrong("04.channel_table", "the paper's numbers whatever the filters", "encoder1: the channels of u and p")
def _(filters):
    return table((64, 128, 256, 512, 512))


@right("04.channel_table", "lists, in another order, from index arithmetic")
def _(filters):
    levels = {}
    for level, count in enumerate(filters, start=1):
        smaller = filters[max(level - 2, 0)]
        levels[f"decoder{level}"] = [count, smaller, smaller]
        levels[f"encoder{level}"] = [count, count * (level > 1), count]
    return levels


# --- 04.encoder_step ---


@wrong("04.encoder_step", "first level not handled", "fails at the first level")
def _(module, transform, level, before):
    source, feature = level
    seen = module(torch.cat([source, before], dim=1), feature)
    return seen, halve(transform(seen.attended))


@wrong("04.encoder_step", "zeros at the first level", "not even zeros")
def _(module, transform, level, before):
    source, feature = level
    before = torch.zeros_like(source) if before is None else before
    seen = module(torch.cat([source, before], dim=1), feature)
    return seen, halve(transform(seen.attended))


def down(module, transform, level, before, join=None, masked=None, after=None):
    """The course's step, with one part as a student might think."""
    source, feature = level
    seen = source if before is None else (join or (lambda u, v: torch.cat([u, v], 1)))(source, before)
    attention = module(seen, (masked or (lambda u, p: p))(source, feature))
    return attention, (after or (lambda f, seen: halve(f(seen.attended))))(transform, attention)


@wrong("04.encoder_step", "added", "u and v are added")
def _(module, transform, level, before):
    return down(module, transform, level, before, join=lambda u, v: u + v)


@wrong("04.encoder_step", "concatenated along the batch", "in the batch")
def _(module, transform, level, before):
    return down(module, transform, level, before, join=lambda u, v: torch.cat([u, v]))


@wrong("04.encoder_step", "concatenated along the rows", "on top of each other")
def _(module, transform, level, before):
    return down(module, transform, level, before, join=lambda u, v: torch.cat([u, v], dim=2))


@wrong("04.encoder_step", "v first", "v lies before u")
def _(module, transform, level, before):
    return down(module, transform, level, before, join=lambda u, v: torch.cat([v, u], dim=1))


@wrong("04.encoder_step", "only u", "u and v together have")
def _(module, transform, level, before):
    return down(module, transform, level, before, join=lambda u, v: u)


@wrong("04.encoder_step", "mask on u", "multiplies u")
def _(module, transform, level, before):
    return down(module, transform, level, before, masked=lambda u, p: u)


@wrong("04.encoder_step", "mask from p", "computed from p")
def _(module, transform, level, before):
    source, feature = level
    return down(module, transform, Shared(feature, feature), before)


@wrong("04.encoder_step", "pooled before the mask", "mask first")
def _(module, transform, level, before):
    return down(module, transform, level, before, masked=lambda u, p: halve(p))


@wrong("04.encoder_step", "pool before f", "max-pool comes before f")
def _(module, transform, level, before):
    return down(module, transform, level, before, after=lambda f, seen: f(halve(seen.attended)))


@wrong("04.encoder_step", "f of p", "gets the shared feature")
def _(module, transform, level, before):
    return down(module, transform, level, before, after=lambda f, seen: halve(f(seen.shared)))


@wrong("04.encoder_step", "f of the mask", "gets the mask")
def _(module, transform, level, before):
    return down(module, transform, level, before, after=lambda f, seen: halve(f(seen.mask)))


@wrong("04.encoder_step", "f of the whole Attention", "which of its three")
def _(module, transform, level, before):
    return down(module, transform, level, before, after=lambda f, seen: halve(f(seen)))


@wrong("04.encoder_step", "no pool", "half as large")
def _(module, transform, level, before):
    return down(module, transform, level, before, after=lambda f, seen: f(seen.attended))


@wrong("04.encoder_step", "rounded down", "odd sides rounded up")
def _(module, transform, level, before):
    return down(module, transform, level, before, after=lambda f, seen: F.max_pool2d(f(seen.attended), 2))


@wrong("04.encoder_step", "mean pool", "holds means")
def _(module, transform, level, before):
    return down(
        module, transform, level, before, after=lambda f, seen: F.avg_pool2d(f(seen.attended), 2, ceil_mode=True)
    )


@wrong("04.encoder_step", "pool with indices", "is a tuple")
def _(module, transform, level, before):
    return down(module, transform, level, before, after=lambda f, seen: pool(f(seen.attended)))


@wrong("04.encoder_step", "only the next v", "expected two things")
def _(module, transform, level, before):
    return down(module, transform, level, before)[1]


@wrong("04.encoder_step", "the attended feature only", "whole Attention")
def _(module, transform, level, before):
    attention, following = down(module, transform, level, before)
    return attention.attended, following


@wrong("04.encoder_step", "detached", "no gradient can flow")
def _(module, transform, level, before):
    attention, following = down(module, transform, level, before)
    return attention, following.detach()


@right("04.encoder_step", "by keyword, a branch for the first level")
def _(module, transform, level, before):
    if before is None:
        attention = module(source=level.source, shared=level.feature)
    else:
        attention = module(shared=level.feature, source=torch.concat((level.source, before), 1))
    following = transform(input=attention.attended)
    return attention, pool(following)[0]


@right("04.encoder_step", "a list that grows")
def _(module, transform, level, before):
    parts = [level.source]
    if before is not None:
        parts.append(before)
    attention = module(torch.hstack(parts), level.feature)
    return [attention, F.max_pool2d(transform(attention[2]), kernel_size=2, ceil_mode=True)]


# --- 04.decoder_step ---


@wrong("04.decoder_step", "f before the enlargement", "change of size comes first")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([source, enlarge(transform(before), like=source)], dim=1), feature)


@wrong("04.decoder_step", "twice the size", "odd side")
def _(module, transform, level, before):
    source, feature = level
    larger = F.interpolate(before, scale_factor=2, mode="bilinear", align_corners=True)
    return module(torch.cat([source, transform(larger)], dim=1), feature)


@wrong("04.decoder_step", "nearest", "pixels are repeated")
def _(module, transform, level, before):
    source, feature = level
    larger = F.interpolate(before, size=source.shape[2:])
    return module(torch.cat([source, transform(larger)], dim=1), feature)


@wrong("04.decoder_step", "corners not aligned", "corner pixels")
def _(module, transform, level, before):
    source, feature = level
    larger = F.interpolate(before, size=source.shape[2:], mode="bilinear")
    return module(torch.cat([source, transform(larger)], dim=1), feature)


@wrong("04.decoder_step", "f forgotten", "not passed f")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([source, enlarge(before, like=source)], dim=1), feature)


@wrong("04.decoder_step", "v first", "v lies before u")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([transform(enlarge(before, like=source)), source], dim=1), feature)


@wrong("04.decoder_step", "mask on u", "multiplies u")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([source, transform(enlarge(before, like=source))], dim=1), source)


@wrong("04.decoder_step", "mask from p", "u and v together have")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([feature, transform(enlarge(before, like=source))], dim=1), feature)


@wrong("04.decoder_step", "f of u", "f gets u")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([source, transform(source)], dim=1), feature)


@wrong("04.decoder_step", "the attended feature only", "whole Attention")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([source, transform(enlarge(before, like=source))], dim=1), feature).attended


@wrong("04.decoder_step", "no return", "gives None")
def _(module, transform, level, before):
    source, feature = level
    module(torch.cat([source, transform(enlarge(before, like=source))], dim=1), feature)


@wrong("04.decoder_step", "detached", "no gradient reaches what the task attended to before")
def _(module, transform, level, before):
    source, feature = level
    return module(torch.cat([source, transform(enlarge(before.detach(), like=source))], dim=1), feature)


@right("04.decoder_step", "own interpolation and hstack")
def _(module, transform, level, before):
    v = transform(nn.Upsample(tuple(level[0].shape[-2:]), mode="bilinear", align_corners=True)(before))
    return module(torch.hstack((level[0], v)), level[1])


# --- 04.shared_features ---


def tapped(encoder, decoder, images, down=Shared, up=Shared, indices_of=lambda j: j, order=lambda levels: levels[::-1]):
    """The course's way; `down` and `up` choose u and p from what passes by."""
    going_down, indices, features = [], [], images
    sizes = []
    for block in encoder.blocks:
        entering, first = features, block[0](features)
        last = block[1:](first)
        features, where = pool(last)
        going_down.append(Shared(*down(entering, first, last, features)))
        indices.append(where)
        sizes.append(last.shape[2:])
    going_up = []
    for j in reversed(LEVELS):
        entering, unpooled = features, unpool(features, indices[indices_of(j)], sizes[j])
        first = decoder.blocks[j][0](unpooled)
        features = decoder.blocks[j][1:](first)
        going_up.append(Shared(*up(entering, unpooled, first, features)))
    return going_down, order(going_up)


def right_down(entering, first, last, pooled):
    return Shared(first, last)


def right_up(entering, unpooled, first, last):
    return Shared(unpooled, last)


@wrong("04.shared_features", "u enters the block", "what enters the block")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, lambda entering, first, last, pooled: (entering, last), right_up)


@wrong("04.shared_features", "p after the pool", "pooled already")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, lambda entering, first, last, pooled: (first, pooled), right_up)


@wrong("04.shared_features", "u and p exchanged", "that is p")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, lambda entering, first, last, pooled: (last, first), right_up)


@wrong("04.shared_features", "p after the first convolution", "that is u")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, lambda entering, first, last, pooled: (first, first), right_up)


@wrong("04.shared_features", "decoder's u not unpooled", "should be unpooled")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, right_down, lambda entering, unpooled, first, last: (entering, last))


@wrong("04.shared_features", "decoder's u like the encoder's", "before any")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, right_down, lambda entering, unpooled, first, last: (first, last))


@wrong("04.shared_features", "decoder's p after one convolution", "should be that of its last")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, right_down, lambda entering, unpooled, first, last: (unpooled, first))


@wrong("04.shared_features", "deepest level first", "begins with the deepest")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, right_down, right_up, order=lambda levels: levels)


@wrong("04.shared_features", "network run twice", "more than once")
def _(encoder, decoder, images):
    encoder(images)
    return tapped(encoder, decoder, images, right_down, right_up)


@wrong("04.shared_features", "the encoder's levels only", "expected two lists")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, right_down, right_up)[0]


@wrong("04.shared_features", "plain tuples", "expected a Shared for each level")
def _(encoder, decoder, images):
    return [[tuple(level) for level in levels] for levels in tapped(encoder, decoder, images, right_down, right_up)]


@wrong("04.shared_features", "u only", "going_down holds a tensor of shape")
def _(encoder, decoder, images):
    going_down, going_up = tapped(encoder, decoder, images, right_down, right_up)
    return [level.source for level in going_down], going_up


@wrong("04.shared_features", "without gradients", "no gradient can flow")
def _(encoder, decoder, images):
    with torch.no_grad():
        return tapped(encoder, decoder, images, right_down, right_up)


@right("04.shared_features", "loops with slices")
def _(encoder, decoder, images):
    return tapped(encoder, decoder, images, right_down, right_up)


@right("04.shared_features", "hooks on a plain run of the two networks")
def _(encoder, decoder, images):
    caught, handles = {}, []
    for network in (encoder, decoder):
        for j, block in enumerate(network.blocks):
            def catch(layer, inputs, output, key=(network is encoder, j), first=block[0]):
                caught[key, layer is first] = output if not (layer is first and not key[0]) else inputs[0]

            handles += [block[0].register_forward_hook(catch), block.register_forward_hook(catch)]
    decoder(*encoder(images))
    for handle in handles:
        handle.remove()
    return tuple([Shared(caught[(down, j), True], caught[(down, j), False]) for j in LEVELS] for down in (True, False))


# --- 04.MTAN ---


class Network(nn.Module):
    """The given lines of the exercise; a student fills in `build` and `see`."""

    def __init__(self, tasks, width=1.0, residual_mask=False):
        super().__init__()
        filters = filters_at(width)
        self.encoder = Encoder(filters)
        self.decoder = Decoder(filters)
        self.build(tasks, filters, residual_mask)
        initialise(self)

    def build(self, tasks, filters, residual_mask):
        self.transforms = AttentionTransforms(filters)
        self.attention = nn.ModuleDict({task.name: TaskAttention(filters, residual_mask) for task in tasks})
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in tasks})

    def read(self, name, levels, attention):
        return self.heads[name](levels["decoder1"].attended)

    def see(self, images):
        going_down, going_up = chapter_04.shared_features(self.encoder, self.decoder, images)
        predictions, attention = {}, {}
        for name in self.heads:
            attention[name] = levels = self.attention[name](going_down, going_up, self.transforms)
            predictions[name] = self.read(name, levels, attention)
        return predictions, attention

    def forward(self, images, return_attention=False):
        predictions, attention = self.see(images)
        return (predictions, attention) if return_attention else predictions


@wrong("04.MTAN", "heads in a plain dict", "`heads` is a dict")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, residual_mask)
        heads = self.heads
        del self.heads
        self.heads = dict(heads.items())


@wrong("04.MTAN", "attention in a plain list", "`attention` is a list")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        self.transforms = AttentionTransforms(filters)
        self.attention = [TaskAttention(filters, residual_mask) for _ in tasks]
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in tasks})


@wrong("04.MTAN", "heads in a ModuleList", "looked up by a task's name")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, residual_mask)
        self.heads = nn.ModuleList(Head(filters[0], task) for task in tasks)


@wrong("04.MTAN", "one attention for all tasks", "one and the same object in `attention`")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, residual_mask)
        shared = TaskAttention(filters, residual_mask)
        self.attention = nn.ModuleDict({task.name: shared for task in tasks})


@wrong("04.MTAN", "f once per task", "exist once per task")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, residual_mask)
        self.transforms = nn.ModuleDict({task.name: AttentionTransforms(filters) for task in tasks})


@wrong("04.MTAN", "tasks instead of their names as keys", "expected one per task")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, residual_mask)
        self.attention = nn.ModuleDict({str(k): TaskAttention(filters, residual_mask) for k, _ in enumerate(tasks)})


@wrong("04.MTAN", "width forgotten", "filters of this width")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, (4, 8, 16, 32, 32), residual_mask)


@wrong("04.MTAN", "no transforms", "no part `transforms`")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, residual_mask)
        del self.transforms


@wrong("04.MTAN", "head reads p", "reads the shared feature p")
class _(Network):
    def read(self, name, levels, attention):
        return self.heads[name](levels["decoder1"].shared)


@wrong("04.MTAN", "head reads the mask", "reads the mask")
class _(Network):
    def read(self, name, levels, attention):
        return self.heads[name](levels["decoder1"].mask)


@wrong("04.MTAN", "head reads the first level", "reads the first level")
class _(Network):
    def read(self, name, levels, attention):
        return self.heads[name](levels["encoder1"].attended)


@wrong("04.MTAN", "all heads read the first task", "another task attended to")
class _(Network):
    def read(self, name, levels, attention):
        return self.heads[name](next(iter(attention.values()))["decoder1"].attended)


@wrong("04.MTAN", "shared network run for each task", "ran 2 times in one pass")
class _(Network):
    def see(self, images):
        predictions, attention = {}, {}
        for name in self.heads:
            shared = chapter_04.shared_features(self.encoder, self.decoder, images)
            attention[name] = self.attention[name](*shared, self.transforms)
            predictions[name] = self.heads[name](attention[name]["decoder1"].attended)
        return predictions, attention


@wrong("04.MTAN", "return in the loop", "expected the tasks' names")
class _(Network):
    def see(self, images):
        shared = chapter_04.shared_features(self.encoder, self.decoder, images)
        for name in self.heads:
            levels = self.attention[name](*shared, self.transforms)
            return {name: self.heads[name](levels["decoder1"].attended)}, {name: levels}


@wrong("04.MTAN", "a list of predictions", "expected a dict by task name")
class _(Network):
    def see(self, images):
        predictions, attention = super().see(images)
        return list(predictions.values()), attention


@wrong("04.MTAN", "two tasks written out", "`attention` has entries for")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, residual_mask)
        names = ("segmentation", "depth")
        self.attention = nn.ModuleDict({name: TaskAttention(filters, residual_mask) for name in names})


@wrong("04.MTAN", "residual mask not passed on", "does not reach the modules")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        super().build(tasks, filters, False)


@wrong("04.MTAN", "attended feature detached", "does not reach all of its own masks")
class _(Network):
    def read(self, name, levels, attention):
        return self.heads[name](levels["decoder1"].attended.detach())


@wrong("04.MTAN", "an attention for the first task only is used", "f ran")
class _(Network):
    def see(self, images):
        shared = chapter_04.shared_features(self.encoder, self.decoder, images)
        levels = self.attention["segmentation"](*shared, self.transforms)
        return {name: head(levels["decoder1"].attended) for name, head in self.heads.items()}, dict.fromkeys(
            self.heads, levels
        )


@right("04.MTAN", "keys added one by one, two loops")
class _(Network):
    def build(self, tasks, filters, residual_mask):
        self.heads, self.attention = nn.ModuleDict(), nn.ModuleDict()
        for task in reversed(tasks):
            self.heads[task.name] = Head(filters[0], task)
            self.attention[task.name] = TaskAttention(filters, residual_mask)
        self.transforms = AttentionTransforms(filters)

    def see(self, images):
        shared = chapter_04.shared_features(self.encoder, self.decoder, images)
        seen = {name: module(*shared, self.transforms) for name, module in self.attention.items()}
        return {name: self.heads[name](list(levels.values())[-1][2]) for name, levels in seen.items()}, seen


@right("04.MTAN", "derived from the package's")
class _(MTAN):
    pass


# --- 04.hold_masks ---


@wrong("04.hold_masks", "the hook returns nothing", "as before")
def _(modules, value):
    def hook(module, inputs, seen):
        seen._replace(mask=torch.full_like(seen.mask, value), attended=value * seen.shared)

    return [module.register_forward_hook(hook) for module in modules]


@wrong("04.hold_masks", "only the mask replaced", "computed before the hook")
def _(modules, value):
    def hook(module, inputs, seen):
        return seen._replace(mask=torch.full_like(seen.mask, value))

    return [module.register_forward_hook(hook) for module in modules]


@wrong("04.hold_masks", "no handles", "the result is None")
def _(modules, value):
    for module in modules:
        module.register_forward_hook(
            lambda module, inputs, seen: seen._replace(
                mask=torch.full_like(seen.mask, value), attended=value * seen.shared
            )
        )


@wrong("04.hold_masks", "return in the loop", "module 2 of 3")
def _(modules, value):
    for module in modules:
        return [
            module.register_forward_hook(
                lambda module, inputs, seen: seen._replace(
                    mask=torch.full_like(seen.mask, value), attended=value * seen.shared
                )
            )
        ]


@wrong("04.hold_masks", "always one", "not the given value")
def _(modules, value):
    return [
        module.register_forward_hook(
            lambda module, inputs, seen: seen._replace(mask=torch.ones_like(seen.mask), attended=seen.shared)
        )
        for module in modules
    ]


@wrong("04.hold_masks", "the mask alone", "should return an Attention")
def _(modules, value):
    return [
        module.register_forward_hook(lambda module, inputs, seen: torch.full_like(seen.mask, value))
        for module in modules
    ]


@wrong("04.hold_masks", "shift of the normalisation", "not the given value")
def _(modules, value):
    for module in modules:
        nn.init.zeros_(module.mask[1].weight)
        nn.init.constant_(module.mask[1].bias, 3 * value)
    return modules


@wrong("04.hold_masks", "weights that open the gates", "weights are changed")
def _(modules, value):
    for module in modules:
        nn.init.zeros_(module.mask[1].weight)
        nn.init.constant_(module.mask[1].bias, torch.logit(torch.tensor(value)).clamp(-200, 200).item())
    return modules


@wrong("04.hold_masks", "modules returned", "without a remove()")
def _(modules, value):
    for module in modules:
        module.register_forward_hook(
            lambda module, inputs, seen: Attention(
                seen.shared, torch.full_like(seen.mask, value), value * seen.shared
            )
        )
    return list(modules)


@wrong("04.hold_masks", "last handle only", "one handle per module")
def _(modules, value):
    for module in modules:
        handle = module.register_forward_hook(
            lambda module, inputs, seen: seen._replace(
                mask=torch.full_like(seen.mask, value), attended=value * seen.shared
            )
        )
    return [handle]


@wrong("04.hold_masks", "attended is the mask", "the value itself")
def _(modules, value):
    def hook(module, inputs, seen):
        held = torch.full_like(seen.mask, value)
        return seen._replace(mask=held, attended=held)

    return [module.register_forward_hook(hook) for module in modules]


@right("04.hold_masks", "a class with a call, a new Attention")
def _(modules, value):
    class Hold:
        def __call__(self, module, inputs, seen):
            mask = seen.mask * 0 + value
            return Attention(inputs[1], mask, mask * inputs[1])

    handles = []
    for module in modules:
        handles.append(module.register_forward_hook(Hold()))
    return tuple(handles)


# --- 04.attention_parameters ---


@wrong("04.attention_parameters", "batch normalisation forgotten", "batch normalisations are missing")
def _(table, kernel=1):
    return sum(kernel**2 * ((u + v) * p + p * p) + 2 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "biases forgotten", "one number per output channel")
def _(table, kernel=1):
    return sum(kernel**2 * ((u + v) * p + p * p) + 4 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "one number per channel for a normalisation", "one number per output channel")
def _(table, kernel=1):
    return sum(kernel**2 * (u + v) * p + kernel**2 * p * p + 2 * p + 2 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "running statistics counted", "not trained")
def _(table, kernel=1):
    return sum(kernel**2 * ((u + v) * p + p * p) + 10 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "only u", "not u alone")
def _(table, kernel=1):
    return sum(kernel**2 * (u * p + p * p) + 6 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "only g", "convolution of h is missing")
def _(table, kernel=1):
    return sum(kernel**2 * (u + v) * p + 3 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "weights only", "biases and batch normalisations")
def _(table, kernel=1):
    return sum(kernel**2 * (u + v + p) * p for u, v, p in table.values())


@wrong("04.attention_parameters", "kernel not squared", "enters with its side")
def _(table, kernel=1):
    return sum(kernel * ((u + v) * p + p * p) + 6 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "kernel not used", "kernel size is not used")
def _(table, kernel=1):
    return sum((u + v) * p + p * p + 6 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "encoder only", "five encoder levels")
def _(table, kernel=1):
    rows = [row for level, row in table.items() if level.startswith("encoder")]
    return sum(kernel**2 * ((u + v) * p + p * p) + 6 * p for u, v, p in rows)


@wrong("04.attention_parameters", "with a head", "too many")
def _(table, kernel=1):
    return 37_000 + sum(kernel**2 * ((u + v) * p + p * p) + 6 * p for u, v, p in table.values())


@wrong("04.attention_parameters", "a dict by level", "expected one number")
def _(table, kernel=1):
    return {level: kernel**2 * ((u + v) * p + p * p) + 6 * p for level, (u, v, p) in table.items()}


@right("04.attention_parameters", "by building and counting")
def _(table, kernel=1):
    with torch.device("meta"):
        layers = [
            layer
            for u, v, p in table.values()
            for inputs in (u + v, p)
            for layer in (nn.Conv2d(inputs, p, kernel), nn.BatchNorm2d(p))
        ]
    return torch.tensor(sum(weight.numel() for weight in nn.ModuleList(layers).parameters()))


@right("04.attention_parameters", "loop")
def _(table, kernel=1):
    total = 0
    for u, v, p in table.values():
        total += kernel * kernel * (u + v) * p + p + 2 * p
        total += kernel * kernel * p * p + p + 2 * p
    return float(total)


