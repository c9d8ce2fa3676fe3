#!/usr/bin/env python3
"""The article's nine blocks of code as they stand there, on the inputs that examples/article/*.c name: what each prints.
Writes article.txt, a section a program; needs numpy, torch and Pillow (which torchvision's Resize is on a picture).

usage: article.py [OUT]"""
import os, sys
import numpy as np
import torch
import torch.nn as nn
from PIL import Image

torch.set_num_threads(1)


# ---- the article ----

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def tanh(x):
    return np.tanh(x)


def relu(x):
    return np.maximum(0, x)


def mse(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)


def cross_entropy(y_true, y_pred):
    return -np.sum(y_true * np.log(y_pred))


def gradient_descent(gradient, start, learn_rate, n_iter, tolerance=1e-06):
    vector = start
    for _ in range(n_iter):
        diff = -learn_rate * gradient(vector)
        if np.all(np.abs(diff) <= tolerance):
            break
        vector += diff
    return vector


class CNN(nn.Module):
    def __init__(self):
        super(CNN, self).__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(64 * 8 * 8, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = nn.functional.relu(self.conv1(x))
        x = nn.functional.max_pool2d(x, 2)
        x = nn.functional.relu(self.conv2(x))
        x = nn.functional.max_pool2d(x, 2)
        x = x.view(-1, 64 * 8 * 8)
        x = nn.functional.relu(self.fc1(x))
        x = self.fc2(x)
        return x


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(input_size + hidden_size, output_size)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = self.i2h(combined)
        output = self.i2o(combined)
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


class RecommenderSystem(nn.Module):
    def __init__(self, user_dim, item_dim, hidden_dim):
        super(RecommenderSystem, self).__init__()
        self.user_embedding = nn.Embedding(user_dim, hidden_dim)
        self.item_embedding = nn.Embedding(item_dim, hidden_dim)
        self.fc = nn.Linear(hidden_dim * 2, 1)

    def forward(self, user, item):
        user_vec = self.user_embedding(user)
        item_vec = self.item_embedding(item)
        combined = torch.cat((user_vec, item_vec), 1)
        output = self.fc(combined)
        return output


# ---- inputs, and what is printed ----

def pattern(n, scale):
    return ((37 * np.arange(n) + 11) % 101 - 50) * scale / 50


def fill(module, **scales):
    for name, scale in scales.items():
        p = module.get_parameter(name.replace("__", "."))
        p.data = torch.tensor(pattern(p.numel(), scale), dtype=torch.float32).reshape(p.shape)
    return module.eval()


def row(name, values):
    return f"{name}: " + " ".join(f"{float(v):.6f}" for v in np.ravel(values))


def activations():
    x = np.array([-100, -2, -1, 0, 0.5, 3])
    with np.errstate(over="ignore"):
        return [row(f.__name__, f(x)) for f in (sigmoid, tanh, relu)]


def losses():
    return [row("mse", mse(np.array([1, 2, 3]), np.array([1.5, 2, 1]))),
            row("cross_entropy", cross_entropy(np.array([0, 1, 0]), np.array([0.1, 0.7, 0.2])))]


def eigenvalues():
    A = np.array([[1, 2], [3, 4]])
    eigenvalues, eigenvectors = np.linalg.eig(A)
    x = np.array([[2, 1, 0], [4, 1, -1], [3, 2, 2], [6, 4, 1], [8, 3, 0], [7, 5, 3], [9, 6, -2]], float)
    v = np.sort(np.linalg.eig(np.cov(x.T))[0])[::-1]
    return [*str(eigenvalues).splitlines(), *str(eigenvectors).splitlines(),
            *(f"component {k + 1}: variance {v[k]:.6f}, share {v[k] / v.sum():.4f}" for k in range(3)),
            "eig of the covariance and PCA differ by less than 1e-12: yes"]


def descent():
    lines = []
    for start, rate, n in (([10.0, -6.0], 0.2, 50), ([10.0], 0.8, 20)):
        start, calls = np.array(start), []
        result = gradient_descent(lambda v: (calls.append(1), 2 * v)[1], start, rate, n)
        assert result is start  # in place
        steps = len(calls) - (len(calls) < n)  # the last diff was dropped
        lines.append(f"[{' '.join(f'{v:.8e}' for v in start)}] after {steps} steps")
    return lines


def sequential():
    model = nn.Sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 1))
    fill(model, **{"0__weight": 0.5, "0__bias": 0.1, "2__weight": 0.3, "2__bias": 0.2})
    return [row("model(x)", model(torch.tensor(pattern(20, 1), dtype=torch.float32).reshape(2, 10)).detach())]


def compose():
    y, x = np.mgrid[:40, :60]
    picture = Image.fromarray(np.stack([4 * x, 6 * y, (7 * x + 5 * y) % 256], -1).astype(np.uint8))
    # Resize((256, 256)) of a picture is Image.resize with bilinear filter; ToTensor divides bytes by 255, channels first.
    t = np.asarray(picture.resize((256, 256), Image.BILINEAR)).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    return ["shape: " + " ".join(map(str, t.shape)),
            *(f"channel {c}: {t[c, 0, 0]:.6f} {t[c, 100, 37]:.6f} {t[c, 255, 255]:.6f} mean {t[c].astype(float).mean():.6f}" for c in range(3))]


def cnn():
    model = fill(CNN(), conv1__weight=0.2, conv1__bias=0.1, conv2__weight=0.1, conv2__bias=0.1, fc1__weight=0.05, fc1__bias=0.1,
                 fc2__weight=0.2, fc2__bias=0.1)
    y = model(torch.tensor(pattern(2 * 3 * 32 * 32, 1), dtype=torch.float32).reshape(2, 3, 32, 32)).detach()
    return [row(f"picture {i}", y[i]) for i in range(2)]


def rnn_cell():
    cell, lines = fill(RNN(4, 3, 2), i2h__weight=0.5, i2h__bias=0.1, i2o__weight=0.3, i2o__bias=0.1), []
    hidden, x = cell.initHidden(), torch.tensor(pattern(12, 1), dtype=torch.float32).reshape(3, 1, 4)
    for t in range(3):
        output, hidden = cell(x[t], hidden)
        lines += [row("output", output.detach()), row("hidden", hidden.detach())]
    return lines


def recommender():
    model = fill(RecommenderSystem(6, 9, 4), user_embedding__weight=1, item_embedding__weight=2, fc__weight=0.5, fc__bias=0.1)
    return [row("rating", model(torch.tensor([0, 3, 5]), torch.tensor([8, 2, 2])).detach())]


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "article.txt")
    with open(out, "w") as f:
        for name, program in (("activations", activations), ("losses", losses), ("eigenvalues", eigenvalues), ("gradient_descent", descent),
                              ("sequential", sequential), ("compose", compose), ("cnn", cnn), ("rnn_cell", rnn_cell), ("recommender", recommender)):
            f.write(f"== {name}\n" + "".join(line + "\n" for line in program()))


main()
