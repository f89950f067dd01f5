# The largest net of ofa_mbv3_w1.0 trained by PyTorch's own modules on a GPU, to compare with
# `lathe bench train-step`: images/s of steps on made-up images, medians.
# usage: python3 bench/train_step/pytorch_eager.py [SECONDS_EACH]
import sys
import time

import torch
from torch import nn


def conv_bn(inputs, outputs, kernel, stride, groups=1, activation=None):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation(inplace=True)] if activation else []))


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        reduced = max(8, (channels // 4 + 4) // 8 * 8)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, reduced, 1), nn.ReLU(inplace=True),
            nn.Conv2d(reduced, channels, 1), nn.Hardsigmoid(inplace=True))

    def forward(self, x):
        return x * self.gate(x)


class Block(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion, squeeze, activation):
        super().__init__()
        middle = inputs * expansion
        layers = [conv_bn(inputs, middle, 1, 1, activation=activation)] if expansion > 1 else []
        layers.append(conv_bn(middle, middle, kernel, stride, middle, activation))
        layers += [SqueezeExcite(middle)] if squeeze else []
        self.body = nn.Sequential(*layers, conv_bn(middle, outputs, 1, 1))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.body(x)
        return x + y if self.adds else y


def largest_net():
    swish, relu = nn.Hardswish, nn.ReLU
    layers = [conv_bn(3, 16, 3, 2, activation=swish), Block(16, 16, 3, 1, 1, False, relu)]
    inputs = 16
    for outputs, stride, squeeze, activation in (
            (24, 2, False, relu), (40, 2, True, relu), (80, 2, False, swish),
            (112, 1, True, swish), (160, 2, True, swish)):
        for depth in range(4):
            layers.append(Block(inputs, outputs, 7, stride if depth == 0 else 1, 6, squeeze,
                                activation))
            inputs = outputs
    return nn.Sequential(
        *layers, conv_bn(160, 960, 1, 1, activation=swish), nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(960, 1280, 1, bias=False), swish(inplace=True), nn.Flatten(), nn.Dropout(0.1),
        nn.Linear(1280, 1000))


def images_per_s(batch, channels_last, bfloat16, seconds):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = largest_net().cuda().to(memory_format=layout)
    images = torch.randn(batch, 3, 224, 224, device="cuda").contiguous(memory_format=layout)
    labels = torch.randint(1000, (batch,), device="cuda")
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=True,
                                weight_decay=2e-4)

    def step():
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=bfloat16):
            loss = loss_of(net(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds / 2:
        step()
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times) < 3:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return batch / sorted(times)[len(times) // 2]


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    print(f"PyTorch {torch.__version__}, {torch.cuda.get_device_name(0)}")
    for batch in (64, 256):
        for channels_last, bfloat16 in ((False, False), (True, True)):
            rate = images_per_s(batch, channels_last, bfloat16, seconds)
            print(f"batch {batch}, {'channels-last bfloat16' if bfloat16 else 'nchw float32'}: "
                  f"{rate:.0f} images/s", flush=True)


if __name__ == "__main__":
    main()
