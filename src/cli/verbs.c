/* verbs.c: the table of verbs. What is not in it is an unknown word. */
#include <string.h>

#include "cli/cli.h"

const verb cli_verbs[] = {
    {"train", "image DIR -o MODEL [options]", "train a net on pictures",
     "Trains a net on the pictures of DIR and writes one file that predicts, evaluates and embeds. DIR holds "
     "a folder for each class with its PNG, JPEG or WebP files, or train and test with the classes below; or "
     "idx files under the usual names (train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz), "
     "CIFAR's binary files, or .npy arrays. It may also be a list, FILE.csv or FILE.jsonl, of path and "
     "label.\n\n"
     "Every picture is read once before training: those that are broken are named and passed over (more than "
     "1 % "
     "stop the run, see --allow-broken), duplicates and leaks into the test part are told.\n\n"
     "A run owns a folder beside its model: for m.safetensors it is m.run, with config.json (everything the "
     "run "
     "was given, and the command that repeats it), metrics.jsonl (a line an epoch), validation.jsonl (a line "
     "a "
     "record of the validation part, as the best epoch sees it), checkpoint.safetensors, "
     "previous.safetensors and report.html, a page to look at. The model is written once, at the end.\n\n"
     "The validation part, a tenth of the training part by a hash of seed and record, chooses the best "
     "epoch: the last whose loss is within a standard error of the least. "
     "The test part (t10k-images-idx3-ubyte and its labels; else another tenth) is read by cotan evaluate "
     "alone.\n\n"
     "What is not given is chosen by the size and number of the pictures, said, and stored: net, epochs, "
     "augmentation, label smoothing, averaging, early stop (docs/pictures.md has the rules). --time-limit, "
     "--memory and --lr auto are decided before the first step and stored as numbers with which the run "
     "repeats.\n\n"
     "The first Ctrl-C ends the step, saves, and says how to go on; a second one leaves at once. --resume "
     "takes "
     "every option from the run: what is given beside it must be equal, except for what changes no result "
     "(threads, --json, the places of files). Same options, same seed, same data: the same model, bit for "
     "bit, "
     "with any number of threads, stopped or not.",
     "cotan train image fashion/ -o fashion.safetensors --epochs 12\n"
     "# go on after Ctrl-C or a crash\n"
     "cotan train image fashion/ -o fashion.safetensors --resume\n"
     "# a net of your own, with another width\n"
     "cotan presets cnn > my.net\n"
     "cotan train image fashion/ -o my.safetensors --net my.net --set width=64\n"
     "# the layers of another model, all but the last left as they are\n"
     "cotan train image birds/ -o birds.safetensors --model resnet18 --init pets.safetensors --freeze "
     "\"conv1, bn1, "
     "layer*\"\n"
     "# ready in ten minutes\n"
     "cotan train image fashion/ -o quick.safetensors --time-limit 10m",
     cli_train, 1, 2},
    {"evaluate", "MODEL DIR [options]", "score a model on data",
     "Scores the model on the test part of DIR: accuracy with its 95 % interval (Wilson) beside the naive "
     "baseline, which always names the most frequent class; loss, precision, recall and F1 of each class and "
     "their "
     "means (macro; the micro averages are the accuracy), calibration error before and after the temperature "
     "that "
     "training fitted on its validation part, and what is confused with what. Where the run's folder stands "
     "beside "
     "the model, it says whether training was too short or too long. The last line is the accuracy.\n\n"
     "--coverage 0.9 also makes of each picture a set of labels that holds the right one nine times in ten "
     "(split "
     "conformal, calibrated on the validation part), and tells how often it did here.\n\n"
     "Where DIR has no test part: on the data the model was trained on, the tenth that training kept away; "
     "on other data, all of it.",
     "cotan evaluate fashion.safetensors fashion/\n"
     "cotan evaluate fashion.safetensors fashion/ --part validation --json\n"
     "cotan evaluate fashion.safetensors fashion/ --coverage 0.9 --top 3",
     cli_evaluate, 2, 2},
    {"predict", "MODEL FILE... [options]", "name what pictures show",
     "One line a picture: path, label and probability, separated by tabs; of idx files the number of the "
     "record stands in place of the path. FILE is a picture, a folder of pictures, an idx file, or - for "
     "standard "
     "input. With --json one object a line: path, index, label, probability, top. A file that is broken is "
     "named, "
     "the rest is predicted, and the exit status is 3.\n\n"
     "Probabilities are those of the temperature that training fitted on its validation part; the label is "
     "the same "
     "without it. --unsure 0.6 adds the word unsure to lines under that probability (with --json \"unsure\": "
     "true), "
     "--coverage 0.9 a set of labels, the most probable first, that holds the right one nine times in "
     "ten.\n\n"
     "--layer NAME writes what that layer makes of each picture, to search or to train on: CSV with path, "
     "index and a "
     "column a number; objects with \"features\" under --json; with -o an .npy array [pictures, numbers], "
     "whose rows "
     "standard output names. --similar DIR names for each FILE the pictures of DIR whose features (what the "
     "last "
     "layer reads, or --layer) point in the nearest direction, with the cosine.",
     "cotan predict birds.safetensors photo.jpg more/\n"
     "cotan predict fashion.safetensors fashion/t10k-images-idx3-ubyte.gz --limit 3\n"
     "cotan predict fashion.safetensors pictures.idx --top 5 --json\n"
     "find . -name '*.jpg' -print0 | cotan predict birds.safetensors --paths - --unsure 0.6\n"
     "cotan predict birds.safetensors photo.jpg --similar photos/ --top 3\n"
     "# features to work on elsewhere\n"
     "cotan predict birds.safetensors photos/ --layer fc1 -o features.npy",
     cli_predict, 1, INT32_MAX},
    {"pca", "DATA|DIR [options]", "principal components of a table or of pictures",
     "Finds the directions in which records vary most: of a CSV file, every column but --target a feature, "
     "of an .npy "
     "array [N,D], of an idx file, or of a folder of pictures (a test part of the data's own is left "
     "out; of one "
     "size up to 64x64 as they are, else resized to 32x32; --transform for other steps). Prints the share of "
     "the variance of "
     "each "
     "component; with -o it writes a model that cotan predict turns records into scores with, and beside it, "
     "for "
     "p.safetensors in p.run, scores.csv, report.html with the scree plot and the records by their first two "
     "scores, "
     "and config.json.\n\n"
     "A field without a number (empty, NA, nan, inf) is refused with its place. The sign of a component is "
     "scikit-learn's: its largest weight is positive.",
     "cotan pca iris.csv --target species --scale -o iris.safetensors\n"
     "cotan predict iris.safetensors new.csv\n"
     "# as many components as explain 95 % of the variance\n"
     "cotan pca x.npy --variance 0.95 --json\n"
     "cotan pca photos/ -k 20 -o photos.safetensors\n"
     "# larger than memory\n"
     "cotan pca big.npy -k 20 --incremental -o big.safetensors",
     cli_pca, 1, 1},
    {"compare", "RUN RUN [options]", "is one model better than another?",
     "Compares two runs on the records that their validation parts share, record by record: the accuracy by "
     "McNemar's "
     "exact test, the loss by random exchanges within pairs. RUN is a run's folder or the model beside it. "
     "Exit status 0 "
     "whatever the answer; with --require-better 1 unless the second is better (p < 0.05).",
     "cotan compare old.run new.run\n"
     "cotan compare old.safetensors new.safetensors --metric loss --json",
     cli_compare, 2, 2},
    {"inspect", "MODEL|DIR [options]", "what a model file or a folder of pictures holds",
     "Of pictures (a folder or a list, as cotan train takes it) an audit: sizes and kinds, classes, broken "
     "files, "
     "symbolic links, duplicates, and pictures that stand in the test part and outside of it.\n\n"
     "Shows a model's task, labels, net, tensors, preprocessing, recipe and scores; of a safetensors file of "
     "another program its tensors.",
     "cotan inspect photos/\n"
     "cotan inspect fashion.safetensors\n"
     "# the net with its defs and loops written out\n"
     "cotan inspect fashion.safetensors --flat",
     cli_inspect, 1, 1},
    {"plan", "MODEL|PRESET|FILE.net [options]", "what runs, step by step",
     "Shows each step of the plan: op, shape, layout, implementation, bytes, and milliseconds and GFLOP/s "
     "measured here; below them the shards, the phases and the peak of memory, known before the first step.",
     "cotan plan fashion.safetensors --batch 64\n"
     "cotan plan resnet20 --input 3x32x32 --train --batch 128\n"
     "cotan plan cnn --dot | dot -Tsvg > cnn.svg",
     cli_plan, 1, 1},
    {"check", "[OP] [options]", "test every op on this machine",
     "Runs the cases that every op carries: values against plain loops of doubles, gradients against "
     "differences, cut against whole batches, one thread against many, layouts. Exit status 1 when one fails "
     "or an op has none.",
     "cotan check\n"
     "cotan check conv2d",
     cli_check, 0, 1},
    {"bench", "[NAME...] [options]", "measure this machine",
     "Times whole training steps (forward, loss, gradient, update) on eight batches in turn, and the "
     "prediction "
     "of one sample from buffer to buffer, for standard nets: mlp-small, mlp, cnn, resnet20, alexnet, gpt; "
     "default all. Inputs are random, of a fixed seed.",
     "cotan bench cnn --threads 2\n"
     "cotan bench mlp cnn --json",
     cli_bench, 0, 16},
    {"presets", "[NAME]", "the built-in nets",
     "Lists the built-in nets, or prints one as text to begin your own with.",
     "cotan presets\n"
     "cotan presets resnet20 > my.net",
     cli_presets, 0, 1},
    {0},
};

const verb *cli_verb(const char *name) {
    for (const verb *v = cli_verbs; v->name; v++)
        if (name && strcmp(v->name, name) == 0) return v;
    return NULL;
}
