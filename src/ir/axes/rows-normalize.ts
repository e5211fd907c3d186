/** Normalizations and softmax. */
import { FLOAT, INT32 } from '../graph/dtype.ts';
import { noted, type Example, type Operator, int } from './operator.ts';
import { type Hints } from './notation.ts';
import { type Role, type Unrelated } from './row.ts';
import { frontAxis, inputSizes, intAttribute, intsAttribute, type NodeView } from './view.ts';

const ms = 'com.microsoft';
const rankOf = (view: NodeView): number => inputSizes(view, 0)?.length ?? 1;

/** A letter an axis, named by what happens there: `c2` where `mixes`, else `b2`. */
function lettered(view: NodeView, mixes: (axis: number) => boolean): string {
	return Array.from({ length: rankOf(view) }, (_, at) => (mixes(at) ? `c${at}` : `b${at}`)).join(' ');
}

const rolesOf = (view: NodeView, role: Role): Hints => ({
	roles: Object.fromEntries(Array.from({ length: rankOf(view) }, (_, at) => [`c${at}`, role])),
});
const statistics = (view: NodeView): Hints => rolesOf(view, 'statistic');

/** The spatial axes behind `b c`. */
const behind = (view: NodeView, mark = ''): string =>
	Array.from({ length: rankOf(view) - 2 }, (_, at) => ` ${mark}s${at}`).join('');

function layerNorm(op: string, domain: string, bias: boolean, examples: readonly Example[]): Operator {
	const from = (view: NodeView): number => frontAxis(intAttribute(view, 'axis', -1), rankOf(view));
	return noted(op, {
		domain,
		axes: (view) => {
			const all = lettered(view, (at) => at >= from(view)).split(' ');
			const inner = all.slice(from(view)).join(' ');
			const statistic = all.map((name, at) => (at < from(view) ? name : '_')).join(' ');
			const offset = bias && view.inputs[2] ? inner : '_';
			return `${all.join(' ')}, ${inner}, ${offset} -> ${all.join(' ')}, ${statistic}, ${statistic}`;
		},
		hints: statistics,
		sizes: (view) => {
			const sizes = inputSizes(view, 0);
			const mean = sizes?.map((size, axis) => (axis < from(view) ? size : 1));
			return [sizes, mean, mean];
		},
		type: (view, slot) => (slot === 0 ? (view.inputs[0]?.type ?? FLOAT) : FLOAT),
		examples,
	});
}

function softmaxAxes(view: NodeView): string {
	const old = view.opset < 13;
	const axis = frontAxis(intAttribute(view, 'axis', old ? 1 : -1), rankOf(view));
	const names = lettered(view, (at) => (old ? at >= axis : at === axis));
	return `${names} -> ${names}`;
}

const competitors = (view: NodeView): Hints => rolesOf(view, 'competing');

/** Rank 3 `b s c`, or 2 without a batch; the skip may lack the batch or have one of 1. */
function skipAxes(view: NodeView, others: string): string {
	const names = rankOf(view) === 2 ? 's c' : 'b s c';
	const skip = (inputSizes(view, 1)?.length ?? 3) === 2 ? 's c' : 'b s c';
	const lead = names.slice(0, -1);
	return `${names}, ${skip}, ${others} -> ${names}, ${lead}_, ${lead}_, ${names}`;
}

function skipSizes(view: NodeView): readonly (readonly number[] | undefined)[] {
	const sizes = inputSizes(view, 0);
	const lead = sizes && [...sizes.slice(0, -1), 1];
	return [sizes, lead, lead, sizes];
}

/** A token's place decides its position row, unless every sample brings its own positions; a mask is counted. */
function embedAxes(view: NodeView): string {
	const own = (inputSizes(view, 8)?.[0] ?? 1) > 1;
	const s = own && view.inputs[7] === undefined ? 's' : '!s';
	const segments = view.inputs[1] ? `b ${s}` : '_';
	const table = view.inputs[4] ? 't c' : '_';
	const mask = view.inputs[7] ? `b ${s}` : '_';
	const positions = own ? `b ${s}` : '_';
	return `b ${s}, ${segments}, v c, p c, ${table}, c, c, ${mask}, ${positions} -> b ${s} c, b, b ${s} c`;
}

function groupNorm(view: NodeView): string {
	const each = view.opset < 21 ? 'g' : '(g i)';
	return `b (g i)${behind(view, '!')}, ${each}, ${each} -> b (g i)${behind(view, '!')}`;
}

function batchNorm(view: NodeView): string | Unrelated {
	if (intAttribute(view, 'training_mode', 0) || view.node.outputs.length > 1)
		return { unrelated: 'it is in training mode' };
	return `b c${behind(view)}, c, c, c, c -> b c${behind(view)}`;
}

const ids = (below: number): { sizes: number[]; type: number; below: number } => ({
	sizes: [2, 6],
	type: INT32,
	below,
});
const negative = { sizes: [2, 3, 6], negative: true };

const overAxes = (view: NodeView, axes: readonly number[]): string => {
	const names = lettered(view, (at) => axes.some((axis) => frontAxis(axis, rankOf(view)) === at));
	return `${names} -> ${names}`;
};

const images: readonly Operator[] = [
	noted('BatchNormalization', {
		axes: batchNorm,
		examples: [
			{ inputs: [[2, 5, 4, 5], [5], [5], [5], { sizes: [5], positive: true }] },
			{ inputs: [[3, 5], [5], [5], [5], { sizes: [5], positive: true }], opset: 9 },
			{
				inputs: [[2, 5, 4], [5], [5], [5], { sizes: [5], positive: true }],
				attributes: { spatial: int(1) },
				opset: 7,
			},
			{
				inputs: [[2, 5, 4], [5], [5], [5], { sizes: [5], positive: true }],
				attributes: { training_mode: int(1) },
				outputs: 3,
				unrelated: true,
			},
		],
	}),
	noted('InstanceNormalization', {
		axes: (view) => `b c${behind(view, '!')}, c, c -> b c${behind(view, '!')}`,
		examples: [{ inputs: [[2, 5, 5, 6], [5], [5]] }],
	}),
	noted('GroupNormalization', {
		axes: groupNorm,
		hints: (view) => ({ sizes: { g: intAttribute(view, 'num_groups', 1) }, roles: { i: 'statistic' } }),
		resize: (_, removal) => ({ attributes: { num_groups: int(removal.count('g')) } }),
		examples: [
			{ inputs: [[2, 15, 4, 5], [15], [15]], attributes: { num_groups: int(5) } },
			{ inputs: [[2, 15, 4, 5], [5], [5]], attributes: { num_groups: int(5) }, opset: 18 },
		],
	}),
	noted('LpNormalization', {
		axes: (view) => overAxes(view, [intAttribute(view, 'axis', -1)]),
		hints: (view) => ({
			roles: Object.fromEntries(Object.keys(statistics(view).roles ?? {}).map((name) => [name, 'recurrent'])),
		}),
		examples: [{ inputs: [[3, 4, 6]], attributes: { axis: int(1) } }],
	}),
	noted('MeanVarianceNormalization', {
		axes: (view) => overAxes(view, intsAttribute(view, 'axes') ?? [0, 2, 3]),
		hints: statistics,
		examples: [{ inputs: [[3, 5, 4, 6]] }],
	}),
];

const fused: readonly Operator[] = [
	noted('SkipLayerNormalization', {
		domain: ms,
		axes: (view) => skipAxes(view, 'c, [c], [c]'),
		hints: () => ({ roles: { c: 'statistic' } }),
		sizes: skipSizes,
		examples: [
			{ inputs: [[2, 5, 8], [2, 5, 8], [8], [8], [8]], outputs: [0, 3] },
			{ inputs: [[2, 5, 8], [5, 8], [8]] },
			{ inputs: [[2, 5, 8], [1, 5, 8], [8], [8]] },
			{ inputs: [[5, 8], [5, 8], [8]] },
		],
	}),
	noted('SkipSimplifiedLayerNormalization', {
		domain: ms,
		axes: (view) => skipAxes(view, 'c, [c]'),
		hints: () => ({ roles: { c: 'statistic' } }),
		sizes: skipSizes,
		examples: [
			{ inputs: [[2, 5, 8], [2, 5, 8], [8]], outputs: [0, 3] },
			{ inputs: [[2, 5, 8], [2, 5, 8], [8], [8]] },
		],
	}),
	noted('EmbedLayerNormalization', {
		domain: ms,
		axes: embedAxes,
		hints: () => ({ roles: { c: 'statistic', v: 'indexed', p: 'indexed', t: 'indexed' } }),
		indices: { v: 0, t: 1, p: 8 },
		sizes: (view) => {
			const [sizes, table] = [inputSizes(view, 0), inputSizes(view, 2)];
			const embedded = sizes && table && [...sizes, table[1] ?? 1];
			return [embedded, sizes && [sizes[0] ?? 1], embedded];
		},
		type: (view, slot) => (slot === 1 ? INT32 : (view.inputs[2]?.type ?? FLOAT)),
		examples: [
			{ inputs: [ids(7), ids(2), [7, 8], [6, 8], [2, 8], [8], [8]], outputs: 3 },
			{ inputs: [ids(7), null, [7, 8], [9, 8], null, [8], [8], null, ids(9)], outputs: 2 },
			{ inputs: [ids(7), null, [7, 8], [6, 8], null, [8], [8], ids(2)], outputs: 2 },
		],
	}),
];

export const normalizeRows: readonly Operator[] = [
	...images,
	layerNorm('LayerNormalization', '', true, [
		{ inputs: [[2, 3, 6], [6], [6]], outputs: 3 },
		{
			inputs: [
				[3, 5, 6],
				[5, 6],
			],
			attributes: { axis: int(1) },
		},
	]),
	layerNorm('RMSNormalization', '', false, [{ inputs: [[2, 3, 6], [6]], opset: 23 }]),
	layerNorm('SimplifiedLayerNormalization', '', false, [{ inputs: [[2, 3, 6], [6]], outputs: 2 }]),
	...fused,
	noted(['Softmax', 'LogSoftmax', 'Hardmax'], {
		axes: softmaxAxes,
		hints: competitors,
		examples: [
			{ inputs: [negative] },
			{ inputs: [negative], attributes: { axis: int(1) } },
			{ inputs: [{ sizes: [3, 5, 6], negative: true }], opset: 11 },
		],
	}),
];
