/**
 * Operators of onnxruntime for packed tokens and for graphics processors; most have no kernel elsewhere.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { noted, pinned, type Operator, type Removal, type Resized, int } from './operator.ts';
import { type Hints } from './notation.ts';
import { inputSizes, intAttribute, intsAttribute, sampledInts, type NodeView } from './view.ts';

const ms = 'com.microsoft';
const noKernel = 'on graphics processors only';
const heads = (view: NodeView): number => intAttribute(view, 'num_heads', 1);
const given = (view: NodeView, slot: number, text: string): string => (view.inputs[slot] ? text : '_');
const index = (...sizes: number[]): { sizes: number[]; type: number; below: number } => ({
	sizes,
	type: 6,
	below: 2,
});

/** Widths of q, k and v, side by side in one projection. */
function widths(view: NodeView): readonly [number, number, number] {
	const said = intsAttribute(view, 'qkv_hidden_sizes');
	const each = (inputSizes(view, 1)?.[1] ?? 3) / 3;
	return [said?.[0] ?? each, said?.[1] ?? each, said?.[2] ?? each];
}

const threefold = '(h k)+(h k)+(h v)';

function threefoldHints(view: NodeView): Hints {
	const [q, , v] = widths(view);
	const h = heads(view);
	return { sizes: { h, k: q / h, v: v / h }, roles: { k: 'scale' } };
}

function fewerHeads(view: NodeView, removal: Removal): Resized {
	const h = removal.count('h');
	const sizes = ['k', 'k', 'v'].map((letter) => h * removal.count(letter));
	const uneven = removal.count('k') !== removal.count('v') || view.node.attributes.has('qkv_hidden_sizes');
	return {
		attributes: { num_heads: int(h), ...(uneven && { qkv_hidden_sizes: { kind: 'ints', value: sizes } }) },
	};
}

function packedHeads(view: NodeView): string {
	const bias = `${given(view, 3, '(h d)+(h d)+(h v)')}, _, _, ${given(view, 6, '_ h _ _')}`;
	return inputSizes(view, 0)?.length === 4
		? `!t h !z d, _, _, ${given(view, 3, '(h d)+(h d)+(h d)')}, _, _, ${given(view, 6, '_ h _ _')} -> !t (h d)`
		: `!t (h d), !t (h d), !t (h v), ${bias} -> !t (h v)`;
}

const attention: readonly Operator[] = [
	noted('PackedAttention', {
		domain: ms,
		axes: (view) =>
			`!t i, i ${threefold}, ${given(view, 2, threefold)}, _, _, ${given(view, 5, '_ h _ _')} -> !t (h v)`,
		hints: threefoldHints,
		resize: fewerHeads,
		sizes: (view) => [[inputSizes(view, 0)?.[0] ?? 1, widths(view)[2]]],
		examples: [
			{
				inputs: [[6, 5], [5, 36], [36], index(2, 4), index(3)],
				attributes: { num_heads: int(3) },
				noKernel,
			},
		],
	}),
	noted('PackedMultiHeadAttention', {
		domain: ms,
		axes: packedHeads,
		hints: (view) => ({ sizes: { h: heads(view), z: 3 }, roles: { d: 'scale' } }),
		resize: (_, removal) => ({ attributes: { num_heads: int(removal.count('h')) } }),
		examples: [
			{
				inputs: [[6, 12], [6, 12], [6, 15], [39], index(2, 4), index(3)],
				attributes: { num_heads: int(3) },
				noKernel,
			},
			{
				inputs: [[6, 3, 3, 4], null, null, null, index(2, 4), index(3)],
				attributes: { num_heads: int(3) },
				noKernel,
			},
		],
	}),
	noted('LongformerAttention', {
		domain: ms,
		axes: '!b !s i, i (z h d), (z h d), _, i (z h d), (z h d), _ -> !b !s (h d)',
		hints: (view) => ({ sizes: { h: heads(view), z: 3 }, roles: { d: 'scale', z: 'gate' } }),
		resize: (_, removal) => ({ attributes: { num_heads: int(removal.count('h')) } }),
		sizes: (view) => {
			const sizes = inputSizes(view, 0);
			return [sizes?.with(-1, (inputSizes(view, 1)?.[1] ?? 3) / 3)];
		},
		examples: [
			{
				inputs: [[2, 8, 12], [12, 36], [36], [2, 8], [12, 36], [36], index(2, 8)],
				attributes: { num_heads: int(3), window: int(2) },
				noKernel,
			},
		],
	}),
	pinned('SparseAttention', 'which blocks a head sees depends on its number', { domain: ms }),
	noted('RelativePositionBias', {
		domain: ms,
		axes: '!n h, _, _ -> _ h !q !k',
		sizes: (view) => {
			const [h, q, k] = [inputSizes(view, 0)?.[1], sampledInts(view, 1)?.[0], sampledInts(view, 2)?.[0]];
			return h === undefined || q === undefined || k === undefined ? [] : [[1, h, q, k]];
		},
		examples: [
			{
				inputs: [[8, 5], { ints: [4], scalar: true }, { ints: [6], scalar: true }],
				attributes: { max_distance: int(16) },
				noKernel,
			},
		],
	}),
];

/** Groups of channels, last where `channels_last` says so; a row for what is added to them beside. */
function groupNormAxes(skip: boolean): (view: NodeView) => string {
	return (view) => {
		const last = intAttribute(view, 'channels_last', 1) === 1;
		const x = last ? 'b !x !y (g i)' : 'b (g i) !x !y';
		const c = '(g i)';
		if (!skip) return `${x}, ${c}, ${c} -> ${x}`;
		const added = inputSizes(view, 3)?.length === 2 ? `b ${c}` : x;
		return `${x}, ${c}, ${c}, ${added}, ${given(view, 4, c)} -> ${x}, ${x}`;
	};
}

const groupHints = (view: NodeView): Hints => ({
	sizes: { g: intAttribute(view, 'groups', 1) },
	roles: { i: 'statistic' },
});
const fewerGroups = (_: NodeView, removal: Removal): Resized => ({
	attributes: { groups: int(removal.count('g')) },
});
const grouping = { activation: int(1), groups: int(3) };

/** How many tokens are no padding depends on the data. */
function unpaddedSizes(view: NodeView): number[][] {
	const [b = 1, s = 1, c = 1] = inputSizes(view, 0) ?? [];
	return [[Math.max(1, b * s - 1 - (view.turn ?? 0)), c], [b, s], [b + 1], [1]];
}

const channels: readonly Operator[] = [
	noted('GroupNorm', {
		domain: ms,
		axes: groupNormAxes(false),
		hints: groupHints,
		resize: fewerGroups,
		examples: [{ inputs: [[2, 4, 5, 12], [12], [12]], attributes: grouping, noKernel }],
	}),
	noted('SkipGroupNorm', {
		domain: ms,
		axes: groupNormAxes(true),
		hints: groupHints,
		resize: fewerGroups,
		examples: [
			{
				inputs: [[2, 4, 5, 12], [12], [12], [2, 4, 5, 12], [12]],
				outputs: 2,
				attributes: grouping,
				noKernel,
			},
		],
	}),
	noted('BiasDropout', {
		domain: ms,
		axes: (view) => `... c, c, ${given(view, 2, '... c')} -> ... c, ... c`,
		examples: [{ inputs: [[2, 3, 5], [5], [2, 3, 5]], noKernel }],
	}),
	noted('RemovePadding', {
		domain: ms,
		axes: '!b !s c, _ -> !t c, _, _, _',
		sizes: unpaddedSizes,
		examples: [{ inputs: [[2, 4, 5], index(2)], noKernel }],
	}),
	noted('RestorePadding', {
		domain: ms,
		axes: '!t c, !b !s -> !b !s c',
		examples: [{ inputs: [[6, 5], index(2, 4)], noKernel }],
	}),
	noted('CropAndResize', {
		domain: ms,
		axes: '!b c !h !w, n _, n, _ -> n c !p !q',
		sizes: (view) => {
			const [x, regions, crop] = [inputSizes(view, 0), inputSizes(view, 1), sampledInts(view, 3)];
			return x === undefined || regions === undefined || crop === undefined
				? []
				: [[regions[0] ?? 1, x[1] ?? 1, ...crop]];
		},
		examples: [
			{
				inputs: [
					[2, 5, 6, 6],
					{ sizes: [4, 4], positive: true },
					{ sizes: [4], type: 6, below: 2 },
					{ ints: [2, 3], type: 6 },
				],
			},
		],
	}),
];

export const packedRows: readonly Operator[] = [...attention, ...channels];
