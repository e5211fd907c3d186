/**
 * Weights drawn from a seed, for proofs: where all of a model's own weights are equal, or so small that nothing moves its outputs, a
 * wrong rewrite would go unseen. What a rewrite does to positions does not depend on the numbers in them.
 */
import { type Net, type NetNode, type NetTensor } from '../axes/net.ts';
import { elementType, FLOAT, INT8, UINT8 } from './dtype.ts';
import { elementCount, type Model, type Tensor, type ValueName } from './graph.ts';
import { hashOf } from './hash.ts';
import { applyPatch } from './patch.ts';
import { drawAt } from './random.ts';
import { isReadable, numbersOf, tensorOf } from './tensor.ts';

/**
 * How large draws are, turn by turn, over twice what keeps signals level. Branches then outweigh what they are added to, and behind a norm
 * over few features only larger steps show; through twenty rectified layers without norms the last alone leaves a softmax that moves.
 */
export const draws: readonly number[] = [1, 2, 4, Math.SQRT1_2];

/**
 * The model with every weight that a product or convolution sums over redrawn. Of a weight that is computed (dequantized, cast), the
 * constant it is made from.
 * @param turn another turn gives other numbers, of the size that `draws` says.
 * @param alike whether tensors that are equal get equal numbers, and zeros stay: what a rewrite may go by that leaves every output as it was.
 */
export function seedWeights(net: Net, turn = 0, alike = false): Model {
	const weights = new Map<ValueName, Tensor>();
	const aliases = new Map(
		net.model.graph.nodes.flatMap(({ op, inputs, outputs }) =>
			op === 'Identity' ? [[outputs[0] ?? '', inputs[0] ?? ''] as const] : [],
		),
	);
	const origin = (name: ValueName): ValueName => {
		const source = aliases.get(name);
		return source === undefined ? name : origin(source);
	};
	for (const node of net.nodes) {
		for (const [slot, tensor] of node.inputs.entries()) {
			if (tensor?.fixed !== true || !sums(node, slot)) continue;
			for (const constant of sourcesOf(tensor))
				if (isMatrix(constant)) weights.set(origin(constant.name), constant);
		}
	}
	const edits = [...weights].map(([name, tensor]) => ({
		kind: 'constant' as const,
		tensor: alike
			? withZeros(drawn(name, tensor, turn, hashOf(tensor)), tensor)
			: drawn(name, tensor, turn, seedOf(name)),
	}));
	return applyPatch(net.model, { label: 'seeded weights', edits });
}

/** Numbers by the value that they stand in for. */
export type Fills = ReadonlyMap<ValueName, Tensor>;

/** Draws for the weights that a `ConstantOfShape` makes: all equal, and with no constant to draw anew. */
export function fillsOf(net: Net, turn = 0): Fills {
	const fills = new Map<ValueName, Tensor>();
	for (const node of net.nodes) {
		for (const [slot, tensor] of node.inputs.entries()) {
			if (tensor?.fixed !== true || !sums(node, slot)) continue;
			for (const { name, sizes } of filledIn(tensor)) {
				const made = { type: net.facts.of(name)?.type ?? FLOAT, dims: sizes };
				if (isMatrix(made)) fills.set(name, drawn(name, made, turn, seedOf(name)));
			}
		}
	}
	return fills;
}

/** The model with these numbers in the place of what makes the values. */
export function withFills(model: Model, fills: Fills): Model {
	const edits = model.graph.nodes.flatMap((node) => {
		const tensor = node.op === 'ConstantOfShape' ? fills.get(node.outputs[0] ?? '') : undefined;
		if (tensor === undefined) return [];
		const attributes = new Map([['value', { kind: 'tensor' as const, value: tensor }]]);
		return [{ kind: 'node' as const, node: { ...node, op: 'Constant', domain: '', inputs: [], attributes } }];
	});
	return applyPatch(model, { label: 'seeded weights', edits });
}

/** The values of a `ConstantOfShape` that a fixed value is made from: a matrix may be reshaped before it is read. */
function filledIn(tensor: NetTensor): NetTensor[] {
	if (tensor.producer?.node.op === 'ConstantOfShape') return [tensor];
	return tensor.producer?.inputs.flatMap((input) => (input ? filledIn(input) : [])) ?? [];
}

/** The constants that a fixed value is made from. */
function sourcesOf(tensor: NetTensor): Tensor[] {
	if (tensor.constant !== undefined) return [{ ...tensor.constant, name: tensor.name }];
	return tensor.producer?.inputs.flatMap((input) => (input ? sourcesOf(input) : [])) ?? [];
}

/** Whether the node sums over an axis of the operand. */
function sums({ row }: NetNode, operand: number): boolean {
	return (row?.terms ?? []).some(
		({ side, slot, parts }) =>
			side === 'in' &&
			slot === operand &&
			parts.some(({ letter }) => row?.letters[letter]?.role === 'contracted'),
	);
}

function isMatrix({ type, dims }: Pick<Tensor, 'type' | 'dims'>): boolean {
	const kind = elementType(type)?.kind;
	return (kind === 'float' || type === INT8 || type === UINT8) && dims.length > 1 && elementCount(dims) > 1;
}

/** Zeros where the original has them. */
function withZeros(draws: Tensor, original: Tensor): Tensor {
	if (!isReadable(original)) return draws;
	const [numbers, values] = [numbersOf(draws), numbersOf(original)];
	if (!values.includes(0)) return draws;
	return tensorOf(
		draws.name,
		draws.type,
		draws.dims,
		numbers.map((number, at) => (values[at] === 0 ? 0 : number)),
	);
}

const seedOf = (name: ValueName): number =>
	Array.from(name).reduce((hash, letter) => (hash * 31 + (letter.codePointAt(0) ?? 0)) | 0, 7);

function drawn(
	name: ValueName,
	{ type, dims }: Pick<Tensor, 'type' | 'dims'>,
	turn: number,
	seed: number,
): Tensor {
	const count = elementCount(dims);
	const fan = dims.length === 2 ? Math.sqrt(count) : count / (dims[0] ?? 1);
	const draw = (at: number): number => drawAt(seed + turn, at) - 0.5;
	if (type === INT8 || type === UINT8)
		return tensorOf(
			name,
			type,
			dims,
			Float32Array.from(
				{ length: count },
				(_, at) => Math.round(draw(at) * 200) + (type === UINT8 ? 128 : 0),
			),
		);
	const scale = (draws[turn] ?? 1) * Math.sqrt(48 / Math.max(1, fan));
	return tensorOf(
		name,
		type,
		dims,
		Float32Array.from({ length: count }, (_, at) => draw(at) * scale),
	);
}
