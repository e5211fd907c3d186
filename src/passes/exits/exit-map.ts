/**
 * A linear map from the result of an exit's layer to that of the last layer, fitted to calibration data, so that the head reads
 * what it expects ("Jump to Conclusions", arXiv:2303.09435). Damped towards the identity: without evidence nothing changes.
 */
import { type Tensor } from '../../ir/graph/graph.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { identity } from '../../ir/matrix.ts';
import { refit } from '../../numerics/refit.ts';
import { mapNames, type Exits } from './exit-stages.ts';
import { type Compensated, type PlanRequest } from '../technique.ts';

export type Maps = {
	readonly tensors: ReadonlyMap<string, Tensor>;
	/** How well each map does on held-out inputs. */
	readonly fitted: readonly Compensated[];
};

/** Nothing without calibration data. An exit whose map is no better on held-out inputs has none. */
export async function fitMaps({ model, net, lab }: PlanRequest, { exits, final }: Exits): Promise<Maps> {
	const tensors = new Map<string, Tensor>();
	if (lab?.calibrated !== true) return { tensors, fitted: [] };
	const target = net.tensors.get(final);
	const rank = target?.sizes.length ?? 0;
	const size = target?.sizes.at(-1) ?? 0;
	const rows = (value: string) => ({ value, rank, axis: rank - 1, size });
	const grams = await lab.grams(
		model,
		exits.map(({ value }) => ({ ...rows(value), against: rows(final) })),
	);
	const fitted: Compensated[] = [];
	for (const [at, split] of grams.entries()) {
		const { layer, value } = exits[at] ?? { layer: 0, value: '' };
		const kept = Array.from({ length: size }, (_, place) => place);
		const task = { grams: split, kept, weight: identity(size), what: `'${value}'` };
		const found = await refit(task, lab.products);
		const { choice, damping, residual, heldOut } = found;
		fitted.push({ layer, choice, residual, heldOut, ...(damping !== undefined && { damping }) });
		if (choice === 'none') continue;
		const type = net.facts.of(final)?.type ?? FLOAT;
		const [weight = '', bias = ''] = mapNames(layer);
		tensors.set(weight, tensorOf(weight, type, [size, size], found.weight.data));
		tensors.set(bias, tensorOf(bias, type, [size], found.shift));
	}
	return { tensors, fitted };
}
