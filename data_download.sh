#!/usr/bin/env bash
# One door to the real data sets. Nothing stands under DIR before it is complete and checked.
set -euo pipefail

usage() {
    cat <<'EOF'
./data_download.sh cityscapes DIR
    Downloads Cityscapes at 128 x 256 (2975 + 500 frames, 19 classes, inverse depth) from Kaggle, data set
    sakshaymahna/cityscapes-depth-and-segmentation. Needs Kaggle's command line client and an account there:
    pip install kaggle, then put your token where https://www.kaggle.com/docs/api says.

./data_download.sh nyuv2 DIR ARCHIVE.zip|FOLDER
    Unpacks NYUv2 at 288 x 384 (795 + 654 frames, 13 classes, depth, normals). Fetch the archive by hand from the
    page of MTAN's authors, https://github.com/lorenmt/mtan, section "Datasets".

Both end with the course's own check of the data and tell how to train on it.
EOF
}

fail() {
    echo "data_download.sh: $*" >&2
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$here/.venv/bin/python
[[ -x $python ]] || python=python3

download_cityscapes() { # FOLDER: fetch and unpack into it
    local dataset=sakshaymahna/cityscapes-depth-and-segmentation
    command -v kaggle >/dev/null ||
        fail "found no command kaggle. Install Kaggle's client: pip install kaggle"
    kaggle datasets files "$dataset" >/dev/null ||
        fail "Kaggle does not let us in (see above). Check the network and your token: https://www.kaggle.com/docs/api"
    mkdir "$1/archive"
    kaggle datasets download --dataset "$dataset" --path "$1/archive"
    unpack "$1"/archive/*.zip "$1"
    rm -r "$1/archive"
}

unpack() { # ARCHIVE FOLDER
    echo "Unpacking $1"
    "$python" -m zipfile -e "$1" "$2" 2>&1 | tail -n 1 >&2 ||
        fail "$1 is not a complete zip archive. Download it again."
}

layout_root() { # FOLDER: print the one folder in it that holds train/ and val/
    local train found=()
    while IFS= read -r train; do
        [[ -d $(dirname "$train")/val ]] && found+=("$(dirname "$train")")
    done < <(find "$1" -maxdepth 4 -type d -name train)
    [[ ${#found[@]} -eq 1 ]] ||
        fail "expected one folder with train/ and val/ inside, found ${#found[@]}. Is it the authors' npy layout?"
    echo "${found[0]}"
}

case ${1-} in
    -h | --help | help) usage && exit 0 ;;
    cityscapes) [[ $# -eq 2 ]] || { usage >&2 && fail "cityscapes takes one argument: DIR."; } ;;
    nyuv2) [[ $# -eq 3 ]] || { usage >&2 && fail "nyuv2 takes two arguments: DIR and ARCHIVE.zip or FOLDER."; } ;;
    "") usage >&2 && fail "which data set? cityscapes or nyuv2." ;;
    *) usage >&2 && fail "unknown data set '$1'. Known: cityscapes, nyuv2." ;;
esac

dataset=$1
target=${2%/}
source=${3-}
[[ ! -e $target ]] || fail "$target exists already. Remove it or choose another folder."
mkdir -p "$(dirname "$target")"
unfinished=$(mktemp -d "$target.part.XXXXXX")
trap 'rm -rf "$unfinished"' EXIT

if [[ $dataset == cityscapes ]]; then
    download_cityscapes "$unfinished"
elif [[ -d $source ]]; then
    cp -R "$source/." "$unfinished"
elif [[ -f $source ]]; then
    unpack "$source" "$unfinished"
else
    fail "$source: no such file or folder."
fi

data=$(layout_root "$unfinished")
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} "$python" -m course_utils doctor --dataset "$dataset" --data-root "$data" ||
    fail "the data is not whole (see above); $target was not written."
chmod 755 "$data"
mv "$data" "$target"

cat <<EOF

$dataset is in $target. Train on it:
    $python -m course_utils train --dataset $dataset --data-root $target \\
        --model mtan --weighting dwa --width 0.25 --epochs 3 --out runs/$dataset
EOF
