"""Makes the adapter of tests/data/adapter over the checkpoint qwen2, with the logits that PEFT gives it.

    python3 -m pip install torch==2.11.0 transformers==4.57.6 peft==0.21.2
    python3 crates/policy/tests/make_adapter.py

With the path of a folder that `DecoderPolicy::save_adapter` wrote, prints the logits that PEFT gives that one.
"""

import json
import pathlib
import sys

import peft
import torch
import transformers

DATA = pathlib.Path(__file__).parent / "data"
IDS = [1, 5, 9, 100, 7, 33, 200, 4]


def base():
    return transformers.AutoModelForCausalLM.from_pretrained(DATA / "checkpoints" / "qwen2", dtype=torch.float32)


def logits(model):
    with torch.no_grad():
        return model.eval()(torch.tensor([IDS])).logits[0].tolist()


def make():
    torch.manual_seed(11)
    config = peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"], lora_dropout=0.1, task_type="CAUSAL_LM"
    )
    model = peft.get_peft_model(base(), config)
    for name, tensor in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(tensor, std=0.2)
    folder = DATA / "adapter"
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    # PEFT writes the path on this machine.
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": None}, indent=2) + "\n")
    expected = {
        "made_by": f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}",
        "ids": IDS,
        "logits": logits(model),
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


if len(sys.argv) == 1:
    make()
else:
    print(json.dumps(logits(peft.PeftModel.from_pretrained(base(), sys.argv[1]))))
