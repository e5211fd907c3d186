/** Normalizations and softmax. */
import { noted, type Example, type Operator } from './operator.ts';
import { type Hints } from './notation.ts';
import { frontAxis, inputSizes, intAttribute, type NodeView } from './view.ts';

const plain = (view: NodeView, from: number): string =>
	Array.from({ length: (inputSizes(view, 0)?.length ?? from) - from }, (_, at) => ` s${at}`).join('');
const pinned = (view: NodeView): string => plain(view, 2).replaceAll('s', '!s');

/** Axes from `axis` on are the ones a layer norm runs over. */
function layerNorm(view: NodeView): { all: string; inner: string } {
	const rank = inputSizes(view, 0)?.length ?? 1;
	const axis = frontAxis(intAttribute(view, 'axis', -1), rank);
	const names = Array.from({ length: rank }, (_, at) => (at < axis ? `b${at}` : `c${at}`));
	return { all: names.join(' '), inner: names.slice(axis).join(' ') };
}

const statistics = (view: NodeView): Hints => ({
	roles: Object.fromEntries((inputSizes(view, 0) ?? []).map((_, at) => [`c${at}`, 'statistic' as const])),
});
const overC: Hints = { roles: { c: 'statistic' } };

const sameAsInput = (view: NodeView): (readonly number[] | undefined)[] =>
	view.node.outputs
		.map((_, slot) => (slot === 0 || slot === 3 ? inputSizes(view, 0) : undefined))
		.map((sizes) => sizes ?? [1]);

function layerNormEntry(ops: readonly string[], domain: string): Operator {
	return noted(ops, {
		domain,
		axes: (view) => {
			const { all, inner } = layerNorm(view);
			return `${all}, ${inner}, [${inner}] -> ${all}, _, _`;
		},
		hints: statistics,
		sizes: sameAsInput,
		examples:
			domain === '' && ops[0] === 'LayerNormalization' ? [{ inputs: [[2, 3, 6], [6], [6]], opset: 17 }] : [],
	});
}

function softmaxAxes(view: NodeView): string {
	const rank = inputSizes(view, 0)?.length ?? 1;
	const axis = frontAxis(intAttribute(view, 'axis', view.opset < 13 ? 1 : -1), rank);
	const mixes = (at: number): boolean => (view.opset < 13 ? at >= axis : at === axis);
	const names = Array.from({ length: rank }, (_, at) => (mixes(at) ? `!c${at}` : `b${at}`)).join(' ');
	return `${names} -> ${names}`;
}

const image: readonly Example[] = [{ inputs: [[2, 4, 5, 5], [4], [4], [4], { sizes: [4], positive: true }] }];

export const normalizeRows: readonly Operator[] = [
	noted('BatchNormalization', {
		axes: (view) => `b c${plain(view, 2)}, c, c, c, c -> b c${plain(view, 2)}`,
		examples: image,
	}),
	noted('InstanceNormalization', {
		axes: (view) => `b c${pinned(view)}, c, c -> b c${pinned(view)}`,
		examples: [{ inputs: [[2, 4, 5, 5], [4], [4]] }],
	}),
	layerNormEntry(['LayerNormalization', 'RMSNormalization', 'SimplifiedLayerNormalization'], ''),
	layerNormEntry(['SimplifiedLayerNormalization', 'LayerNormalization'], 'com.microsoft'),
	noted('SkipLayerNormalization', {
		domain: 'com.microsoft',
		axes: (view) =>
			`b s c, ${(inputSizes(view, 1)?.length ?? 3) === 2 ? 's c' : 'b s c'}, c, [c], [c] -> b s c, _, _, b s c`,
		hints: () => overC,
		sizes: sameAsInput,
		examples: [{ inputs: [[2, 3, 8], [2, 3, 8], [8], [8], [8]] }],
	}),
	noted('SkipSimplifiedLayerNormalization', {
		domain: 'com.microsoft',
		axes: 'b s c, b s c, c, [c] -> b s c, _, _, b s c',
		hints: () => overC,
		sizes: sameAsInput,
		examples: [{ inputs: [[2, 3, 8], [2, 3, 8], [8]] }],
	}),
	noted('EmbedLayerNormalization', {
		domain: 'com.microsoft',
		axes: (view) =>
			`b s, ${view.inputs[1] ? 'b s' : '_'}, v c, p c, ${view.inputs[4] ? 't c' : '_'}, c, c, ${view.inputs[7] ? 'b !m' : '_'} -> b s c, _, b s c`,
		hints: () => ({ roles: { c: 'statistic', v: 'indexed', p: 'indexed', t: 'indexed' } }),
		sizes: (view) => {
			const [ids, table] = [inputSizes(view, 0), inputSizes(view, 2)];
			const sizes = ids && table && [...ids, table[1] ?? 1];
			return [sizes, ids && [ids[0] ?? 1], sizes];
		},
		type: (view) => view.inputs[2]?.type ?? 1,
		examples: [],
	}),
	noted(['Softmax', 'LogSoftmax', 'Hardmax'], {
		axes: softmaxAxes,
		examples: [{ inputs: [[2, 3, 6]] }, { inputs: [[2, 3, 6]], opset: 11 }],
	}),
];
