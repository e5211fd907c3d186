/**
 * The same decision on the same graph with other numbers, for proofs that a model's own numbers leave weak: a wrong rewrite would go
 * unseen where all weights are equal, so small that nothing moves an output, or as coarse as half precision.
 */
import { inferFacts } from '../ir/graph/facts.ts';
import { buildNet } from '../ir/axes/net.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { type Model } from '../ir/graph/graph.ts';
import { applyPatch } from '../ir/graph/patch.ts';
import { draws, fillsOf, seedWeights, withFills, type Fills } from '../ir/graph/seed.ts';
import { cutTensor } from '../ir/graph/gather.ts';
import { hasHalf, widened, widenTensor } from '../ir/graph/widen.ts';
import { type Proof } from '../ir/proof.ts';
import { type Lowered, type LowerTask, type StepPlan, type Technique } from './technique.ts';

export type Again = {
	readonly before: Model;
	readonly after: Model;
	readonly lowered: Lowered;
	readonly weights: Proof['weights'];
};

/**
 * @param turn how often it was tried before.
 * @returns nothing when there is nothing more to try. Folds that leave every output as it was may speak of the model's own numbers: they
 * are tried with those in single precision first, and equal tensors are drawn alike. Vectors, which hold the biases that are zero, are
 * never drawn.
 */
export function again(
	technique: Technique,
	task: LowerTask,
	{ exact }: Pick<StepPlan, 'exact'>,
	shapes: Shapes,
	turn: number,
): Again | undefined {
	const { net } = task;
	const isOwn = exact === true && turn === 0 && hasHalf(net.model);
	const draw = exact === true && hasHalf(net.model) ? turn - 1 : turn;
	if (draw >= draws.length) return undefined;
	const before = widened(isOwn ? net.model : seedWeights(net, draw, exact === true));
	const tensors = new Map([...task.tensors].map(([name, tensor]) => [name, widenTensor(tensor)]));
	const wide = buildNet(before, inferFacts(before, shapes));
	const lowered = technique.lower({ ...task, net: wide, tensors });
	const after = applyPatch(before, lowered.patch);
	if (isOwn) return { before, after, lowered, weights: 'widened' };
	const fills = fillsOf(wide, draw);
	const whole = (model: Model): Model => withFills(model, fills);
	return {
		before: whole(before),
		after: withFills(after, cutFills(fills, lowered)),
		lowered: { ...lowered, claims: lowered.claims.map((claim) => filledClaim(claim, whole)) },
		weights: 'seeded',
	};
}

type Claim = Lowered['claims'][number];

function filledClaim(claim: Claim, whole: (model: Model) => Model): Claim {
	return {
		...claim,
		reference: whole(claim.reference),
		controls: claim.controls.map((control) => () => whole(control())),
	};
}

/** What a rewrite leaves of numbers that it cut by their size alone. */
function cutFills(fills: Fills, { positions }: Lowered): Fills {
	return new Map(
		[...fills].map(([name, tensor]) => {
			const left = tensor.dims.reduce((now, _, axis) => {
				const kept = positions?.(name, axis);
				return kept === undefined ? now : cutTensor(now, axis, kept);
			}, tensor);
			return [name, left];
		}),
	);
}
