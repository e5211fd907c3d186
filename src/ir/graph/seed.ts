/**
 * Weights drawn from a seed, for proofs: where all of a model's own weights are equal, or so small that nothing moves its outputs, a
 * wrong rewrite would go unseen. What a rewrite does to positions does not depend on the numbers in them.
 */
import { type Net } from '../axes/net.ts';
import { elementType } from './dtype.ts';
import { elementCount, type Model, type Tensor, type ValueName } from './graph.ts';
import { applyPatch } from './patch.ts';
import { drawAt } from './random.ts';
import { tensorOf } from './tensor.ts';

/** The model with every weight that a product or convolution sums over redrawn, at twice the size that keeps signals level, so that branches outweigh what they are added to. */
export function seedWeights(net: Net): Model {
	const weights = new Map<ValueName, Tensor>();
	for (const { inputs, row } of net.nodes) {
		for (const term of row?.terms ?? []) {
			const tensor = term.side === 'in' ? inputs[term.slot] : undefined;
			const summed = term.parts.some(({ letter }) => row?.letters[letter]?.role === 'contracted');
			if (summed && tensor?.constant && isMatrix(tensor.constant)) weights.set(tensor.name, tensor.constant);
		}
	}
	const edits = [...weights].map(([name, tensor]) => ({
		kind: 'constant' as const,
		tensor: drawn(name, tensor),
	}));
	return applyPatch(net.model, { label: 'seeded weights', edits });
}

function isMatrix({ type, dims }: Tensor): boolean {
	return elementType(type)?.kind === 'float' && dims.length > 1 && elementCount(dims) > 1;
}

function drawn(name: ValueName, { type, dims }: Tensor): Tensor {
	const count = elementCount(dims);
	const fan = dims.length === 2 ? Math.sqrt(count) : count / (dims[0] ?? 1);
	const scale = Math.sqrt(48 / Math.max(1, fan));
	const seed = Array.from(name).reduce((hash, letter) => (hash * 31 + (letter.codePointAt(0) ?? 0)) | 0, 7);
	const values = Float32Array.from({ length: count }, (_, at) => (drawAt(seed, at) - 0.5) * scale);
	return tensorOf(name, type, dims, values);
}
