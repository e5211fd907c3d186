/** onnxruntime's operators on quantized tensors besides products. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
import { BOOL, FLOAT, INT32 } from '../graph/dtype.ts';
import { elementCount, type Attribute } from '../graph/graph.ts';
import { broadcastSizes } from './broadcast.ts';
import { built, noted, type ExampleInput, type Operator, int } from './operator.ts';
import { notedRow } from './notation.ts';
import { indexBy, RowBuilder, type Row, type Unrelated } from './row.ts';
import { slide, spatial } from './rows-conv.ts';
import { perAxis } from './rows-quantized.ts';
import { frontAxis, inputSizes, intAttribute, intsAttribute, outputSizes, type NodeView } from './view.ts';

const ms = 'com.microsoft';
const list = (...value: number[]): Attribute => ({ kind: 'ints', value });
const u8 = (...sizes: number[]): ExampleInput => ({ sizes, type: 2 });
const i8 = (...sizes: number[]): ExampleInput => ({ sizes, type: 3 });
const zero = (type: number, value: number): ExampleInput => ({ ints: [value], scalar: true, type });
const q = (value: number): ExampleInput => ({ floats: [value], scalar: true });

const isLast = (view: NodeView): boolean => intAttribute(view, 'channels_last', 0) === 1;

/** Sizes with the channels second, whichever order they are stored in. */
function channelsSecond(view: NodeView, sizes: readonly number[]): readonly number[] {
	return isLast(view) ? [sizes[0] ?? 1, sizes.at(-1) ?? 1, ...sizes.slice(1, -1)] : sizes;
}

function stored(view: NodeView, sizes: readonly number[]): number[] {
	const [batch = 1, channels = 1, ...inner] = sizes;
	return isLast(view) ? [batch, ...inner, channels] : [...sizes];
}

/** `b c x0 x1`, or with the channels last. */
function ordered(view: NodeView, channel: string, inner: string): string {
	return isLast(view) ? `b${inner} ${channel}` : `b ${channel}${inner}`;
}

/** Inputs are the result's scale and zero point, then triples of tensor, scale and zero point. */
function joinedRow(view: NodeView): Row | Unrelated {
	const whole = outputSizes(view, 0);
	if (whole === undefined) return { unrelated: 'sizes cannot be told' };
	const axis = frontAxis(intAttribute(view, 'axis', 0), whole.length);
	const builder = new RowBuilder();
	for (const [at, size] of whole.entries()) {
		const letter = builder.letter(at === axis ? 'joined' : `a${at}`, size);
		builder.output(0, at, letter);
		let offset = 0;
		for (let slot = 2; slot < view.inputs.length; slot += 3) {
			const [start, extent] = [offset, inputSizes(view, slot)?.[at] ?? 0];
			offset += extent;
			const index = at === axis ? indexBy(extent, (place) => start + place) : null;
			builder.input(slot, at, { letter, index });
		}
	}
	return builder.build();
}

function joinedSizes(view: NodeView): (number[] | undefined)[] {
	const parts = view.inputs.filter((_, slot) => slot % 3 === 2).map((input) => input?.sizes ?? []);
	const [first = []] = parts;
	const axis = frontAxis(intAttribute(view, 'axis', 0), first.length);
	return [
		first.map((size, at) => (at === axis ? parts.reduce((sum, sizes) => sum + (sizes[at] ?? 0), 0) : size)),
	];
}

function softmaxAxes(view: NodeView): string {
	const rank = inputSizes(view, 0)?.length ?? 1;
	const old = intAttribute(view, 'opset', 13) < 13;
	const axis = frontAxis(intAttribute(view, 'axis', -1), rank);
	const names = Array.from({ length: rank }, (_, at) =>
		(old ? at >= axis : at === axis) ? `!a${at}` : `a${at}`,
	);
	return `${names.join(' ')}, _, _, _, _ -> ${names.join(' ')}`;
}

const quantizedUnary = (...sizes: number[]): ExampleInput[] => [
	u8(...sizes),
	q(0.02),
	zero(2, 100),
	q(0.004),
	zero(2, 3),
];

/** A kernel of `[o, i, k..]`, data with the channels where `channels_last` says. */
function convolutionAxes(view: NodeView): string {
	const [group, n] = [intAttribute(view, 'group', 1), (inputSizes(view, 0)?.length ?? 4) - 2];
	const [i, o] = group === 1 ? ['i', 'o'] : ['(g i)', '(g o)'];
	const kernel = `${o} i${spatial('k', n)}`;
	const parts = [
		...[ordered(view, i, spatial('x', n)), '_', '_', kernel, perAxis(view, 4, o), perAxis(view, 5, o)],
		...['_', '_', view.inputs[8] ? o : '_'],
	];
	return `${parts.join(', ')} -> ${ordered(view, o, spatial('y', n))}`;
}

export const qlinearRows: readonly Operator[] = [
	built('QLinearConcat', {
		domain: ms,
		row: joinedRow,
		sizes: joinedSizes,
		type: (view) => view.inputs[2]?.type ?? 2,
		examples: [
			{
				inputs: [q(0.02), zero(2, 100), u8(3, 4), q(0.02), zero(2, 90), u8(3, 5), q(0.03), zero(2, 100)],
				attributes: { axis: int(1) },
			},
		],
	}),
	noted('QLinearAveragePool', {
		domain: ms,
		axes: (view) => {
			const n = (inputSizes(view, 0)?.length ?? 4) - 2;
			return `${ordered(view, 'c', spatial('x', n))}, _, _, _, _ -> ${ordered(view, 'c', spatial('y', n))}`;
		},
		sizes: (view) => {
			const [sizes, kernel] = [inputSizes(view, 0), intsAttribute(view, 'kernel_shape')];
			if (sizes === undefined || kernel === undefined) return [];
			const [batch = 1, channels = 1, ...inner] = channelsSecond(view, sizes);
			return [stored(view, [batch, channels, ...slide(view, inner, kernel)])];
		},
		examples: [
			{ inputs: quantizedUnary(2, 5, 6, 6), attributes: { kernel_shape: list(2, 2) } },
			{ inputs: quantizedUnary(2, 6, 6, 5), attributes: { kernel_shape: list(2, 2), channels_last: int(1) } },
		],
	}),
	noted('QLinearSoftmax', {
		domain: ms,
		axes: softmaxAxes,
		examples: [
			{ inputs: quantizedUnary(3, 4, 6), attributes: { axis: int(-1), opset: int(13) } },
			{ inputs: quantizedUnary(3, 5, 6), attributes: { axis: int(1), opset: int(12) } },
		],
	}),
	built('QLinearWhere', {
		domain: ms,
		row: (view) => notedRow('..., ..., _, _, ..., _, _, _, _ -> ...', view),
		sizes: (view) => {
			const all = [0, 1, 4].map((slot) => inputSizes(view, slot)).filter((sizes) => sizes !== undefined);
			return [
				all.length === 3 && all.every((sizes) => elementCount(sizes) > 0) ? broadcastSizes(all) : undefined,
			];
		},
		type: (view) => view.inputs[1]?.type ?? 2,
		examples: [
			{
				inputs: [
					{ sizes: [3, 5], type: BOOL },
					...[u8(3, 5), q(0.02), zero(2, 100), u8(5), q(0.03), zero(2, 90), q(0.03), zero(2, 90)],
				],
			},
		],
	}),
	noted('QLinearConv', {
		domain: ms,
		axes: convolutionAxes,
		zeroPoints: { 0: 2, 3: 5 },
		hints: (view) => {
			const [x, group] = [inputSizes(view, 0), intAttribute(view, 'group', 1)];
			const channels = x && channelsSecond(view, x)[1];
			const result = inputSizes(view, 3)?.[0];
			if (group === 1 || channels === undefined || result === undefined) return {};
			return { sizes: { g: group, i: channels / group, o: result / group } };
		},
		sizes: (view) => {
			const [x, w] = [inputSizes(view, 0), inputSizes(view, 3)];
			if (x === undefined || w === undefined) return [];
			const [batch = 1, , ...inner] = channelsSecond(view, x);
			return [stored(view, [batch, w[0] ?? 1, ...slide(view, inner, w.slice(2))])];
		},
		resize: (view, removal) =>
			intAttribute(view, 'group', 1) === 1 || !removal.dead('g')
				? {}
				: { attributes: { group: int(removal.count('g')) } },
		type: (view) => view.inputs[7]?.type ?? 2,
		examples: [
			{
				inputs: [
					...[u8(2, 5, 5, 6), q(0.02), zero(2, 90), i8(6, 6, 3, 3)],
					...([
						{ sizes: [6], positive: true },
						{ ints: [0, 0, 0, 0, 0, 0], type: 3 },
					] as ExampleInput[]),
					...[q(20), zero(2, 128), { sizes: [6], type: INT32, below: 500 } as ExampleInput],
				],
				attributes: { channels_last: int(1) },
			},
		],
	}),
	noted('NhwcConv', {
		domain: ms,
		axes: (view) => `b !x0 !x1 i, o !k0 !k1 i, ${view.inputs[2] ? 'o' : '_'} -> b !y0 !y1 o`,
		sizes: (view) => {
			const [x, w] = [inputSizes(view, 0), inputSizes(view, 1)];
			if (x?.length !== 4 || w === undefined || intAttribute(view, 'group', 1) > 1) return [];
			return [[x[0] ?? 1, ...slide(view, x.slice(1, 3), w.slice(1, 3)), w[0] ?? 1]];
		},
		examples: [{ inputs: [[2, 5, 5, 6], [7, 3, 3, 6], [7]], noKernel: 'onnxruntime has it on GPUs alone' }],
	}),
	noted('MatMulBnb4', {
		domain: ms,
		axes: '... !k, _, _ -> ... !n',
		sizes: (view) => [inputSizes(view, 0)?.with(-1, intAttribute(view, 'N', 1))],
		examples: [
			{
				inputs: [
					[6, 32],
					{ sizes: [64], type: 2, below: 256, constant: true },
					{ sizes: [8], positive: true },
				],
				attributes: { K: int(32), N: int(4), block_size: int(16), quant_type: int(1) },
			},
		],
		type: () => FLOAT,
	}),
];
