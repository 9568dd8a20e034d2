"""The method on a handful of responses, with numpy alone: reward, step credit, advantages, curriculum.

pip install rerec
python score_and_credit.py
"""

import rerec

catalogue = rerec.Catalogue(
    [
        {"id": "1", "title": "Heat (1995)", "attributes": [{"relation": "genre", "value": "crime"}]},
        {"id": "2", "title": "Casino (1995)", "attributes": [{"relation": "genre", "value": "crime"}]},
        {"id": "3", "title": "Toy Story (1995)", "attributes": [{"relation": "genre", "value": "animation"}]},
    ]
)
reward = rerec.DualGraphReward(catalogue, rerec.AttributeGraph(catalogue))
assessor = rerec.Assessor(reward)
lowest, highest = assessor.metric_range
curriculum = rerec.Curriculum(
    ["heist", "toys"], {"batch_size": 2, "metric": {"lowest": lowest, "highest": highest, "rescale": True}}
)

asked = {"heist": ["Heat (1995)"], "toys": ["Toy Story (1995)"]}
# What a sampler would give: two responses to each query, and the bytes of them that each token holds.
written = {
    "heist": ["A heist: Heat.\n\\boxed{Heat}", "Casino is close.\n\\boxed{Casino}"],
    "toys": ["Toys that talk.\n\\boxed{Toy Story}", "Toys that talk.\n\\boxed{Toy Story (1995)}"],
}
for query in curriculum.next_batch() or []:
    responses = written[query]
    byte_lens = [[len(response.split("\n")[0]) + 1, len(response.split("\n")[1])] for response in responses]
    assessed = assessor.assess(responses, byte_lens, queries=[query] * 2, targets=[asked[query]] * 2)
    for place, response in enumerate(responses):
        breakdown = assessed.rewards[place]
        assert breakdown is not None
        print(
            f"{query}: {breakdown.answer} earns {breakdown.total:.3f}; advantages {assessed.advantages[place].round(3)}"
        )
        for step in assessed.steps[place]:
            said = response.encode()[step["span"]["start"] : step["span"]["end"]].decode()
            print(f"    {'penalised' if step['penalised'] else '         '}  {said}")
    for query_id, metrics in assessed.metrics_by_query.items():
        curriculum.record(query_id, metrics)
epoch = curriculum.end_epoch()
print(f"mastered: {epoch['newly_mastered']} of 2; next: {curriculum.next_batch()}")
