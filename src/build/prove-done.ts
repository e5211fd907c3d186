/** The proof of one step that was carried out, tried again with other numbers while the model's own would not show a mistake. */
import { Fault } from '../diagnostic.ts';
import { proveDrawn, proveStep } from '../backends/ort/prove.ts';
import { widenedFeeds } from '../backends/ort/runs.ts';
import { type Proof } from '../ir/proof.ts';
import { proofFailed } from '../messages/run.ts';
import { type Done } from '../passes/carry-out.ts';

/** @throws `Fault` for an output that differs from the reference by more than its tolerance. */
export async function proveDone(
	{ before, after, lowered, kept, plan, again }: Done,
	feeds: Parameters<typeof proveStep>[1],
	threads: number,
): Promise<Proof> {
	const { claims } = lowered;
	let proof = await proveStep(
		{ original: before, pruned: after, claims, kept, weights: 'own' },
		feeds,
		threads,
	);
	for (let turn = 0; proof.weak && proof.ok && plan.selected > 0; turn++) {
		const other = again(turn);
		if (other === undefined) break;
		const { weights } = other;
		const models = {
			original: other.before,
			pruned: other.after,
			claims: other.lowered.claims,
			kept,
			weights,
		};
		proof = (await proveDrawn(models, widenedFeeds(feeds), threads)) ?? proof;
	}
	const worst = proof.outputs.find(({ maxAbs, tolerance }) => maxAbs > tolerance);
	if (worst === undefined) return proof;
	throw new Fault(proofFailed({ output: worst.name, error: worst.maxAbs, tolerance: worst.tolerance }));
}
