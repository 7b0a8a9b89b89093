"""A Switch Transformer whose tokens choose their own number of experts.

Here it is small and random; ``from_switch('google/switch-base-8', ...)`` keeps
pretrained weights, and ``gmoe.text.lora`` adapts them.
"""

from itertools import permutations, product

from transformers import (
    SwitchTransformersConfig,
    SwitchTransformersForConditionalGeneration,
    set_seed,
)

from gmoe.text import (
    Summarizer,
    SummaryTraining,
    SwitchMoeForConditionalGeneration,
    routing_report,
    switch_flops,
    train_tokenizer,
)

THINGS = ('cookies', 'a cake', 'tea', 'soup', 'bread', 'a pie')
PAIRS = permutations(('Amanda', 'Jerry', 'Olivia', 'Tim'), 2)
CASES = [*product(PAIRS, THINGS)]
DIALOGUES = [f'{a}: I made {x}.\n{b}: Nice!' for (a, b), x in CASES]
SUMMARIES = [f'{a} made {x} for {b}.' for (a, b), x in CASES]


def main(epochs: int = 80) -> float:
    set_seed(0)
    tokenizer = train_tokenizer([*DIALOGUES, *SUMMARIES], 400)
    config = SwitchTransformersConfig(
        vocab_size=len(tokenizer), d_model=48, d_kv=12, d_ff=96, num_heads=4,
        num_layers=2, num_decoder_layers=2, num_experts=4,
        num_sparse_encoder_layers=2, num_sparse_decoder_layers=2,
        decoder_start_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = SwitchMoeForConditionalGeneration.from_switch(
        SwitchTransformersForConditionalGeneration(config), 'linear_sparsemax'
    )
    settings = SummaryTraining(epochs, batch_size=12, learning_rate=3e-3)
    summarizer = Summarizer(model, tokenizer, settings)
    summarizer.fit(DIALOGUES[::2], SUMMARIES[::2])
    print(summarizer.summarize(DIALOGUES[1:4:2]))
    batch = tokenizer(DIALOGUES[1::2], padding=True, return_tensors='pt')
    labels = tokenizer(SUMMARIES[1::2], padding=True, return_tensors='pt')
    batch['labels'] = labels['input_ids']
    report = routing_report(model, [batch])
    counts = [s.experts_per_token for s in (report.encoder, report.decoder)]
    print('experts of a token, encoder and decoder:', counts)
    print(f'{switch_flops(model.config, 20, 10, *counts).total / 1e6} MFLOPs')
    scores = summarizer.evaluate(DIALOGUES[1::2], SUMMARIES[1::2])
    return scores['rouge1'] / 100


if __name__ == '__main__':
    print(f'ROUGE-1: {main():.2f}')
