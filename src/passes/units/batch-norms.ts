/** Batch normalizations that are left in the graph behind what is pruned: new means and variances. */
import { present } from '../../diagnostic.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { type Model, type Tensor } from '../../ir/graph/graph.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { isReadable, numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type RowsOf } from '../../ir/lab.ts';
import { type BatchStatistics } from '../../numerics/batch-statistics.ts';
import { numberOf } from '../edits.ts';
import { withInput } from '../exact/bias.ts';
import { cutAxes, type Fit } from './fit.ts';

/** A norm's new statistics, as JSON: names in the plan's tensors. Both are whole. */
export type NormDecision = { readonly node: number; readonly mean: string; readonly variance: string };

/** Operands of a norm (https://onnx.ai/onnx/operators/onnx__BatchNormalization.html). */
const [scaleSlot, meanSlot, varianceSlot] = [1, 3, 4];

export type BatchNorm = {
	readonly node: NetNode;
	readonly input: NetTensor;
	readonly statistics: BatchStatistics;
};

/** Norms whose statistics are constants of a number for each channel, in graph order. */
export function batchNormsOf({ nodes }: Net): BatchNorm[] {
	return nodes.flatMap((node) => {
		const [input] = node.inputs;
		const constants = [scaleSlot, meanSlot, varianceSlot].map((slot) => readable(node.inputs[slot]));
		const [scale, mean, variance] = constants;
		if (node.node.op !== 'BatchNormalization' || node.node.domain !== '' || input?.inBody !== false)
			return [];
		if (scale === undefined || mean === undefined || variance === undefined) return [];
		const isTraining = intAttribute(node.view, 'training_mode', 0) === 1;
		if (isTraining || input.sizes.length < 2 || constants.some((one) => one?.length !== input.sizes[1]))
			return [];
		const epsilon = numberOf(node.node, 'epsilon', 1e-5);
		return [{ node, input, statistics: { scale, mean, variance, epsilon } }];
	});
}

function readable(tensor: NetTensor | undefined): Float64Array | undefined {
	const constant = tensor?.constant;
	if (constant === undefined || !isReadable(constant) || elementType(constant.type)?.kind !== 'float')
		return undefined;
	return Float64Array.from(numbersOf(constant));
}

/** What a norm reads, a row for every place of every image. */
export function channelsRead({ input }: BatchNorm): RowsOf {
	return { value: input.name, rank: input.sizes.length, axis: 1, size: input.sizes[1] ?? 0 };
}

/** New statistics: the numbers go to the plan's tensors. */
export function recordNorm(
	{ node }: BatchNorm,
	made: Pick<BatchStatistics, 'mean' | 'variance'>,
	tensors: Map<string, Tensor>,
): NormDecision {
	const { id } = node.node;
	const names = { mean: `${id}.mean`, variance: `${id}.variance` };
	const put = (name: string, slot: number, values: Float64Array): void => {
		const { type, dims } = present(node.inputs[slot]?.constant, 'a statistic');
		tensors.set(name, tensorOf(name, type, dims, values));
	};
	put(names.mean, meanSlot, made.mean);
	put(names.variance, varianceSlot, made.variance);
	return { node: id, ...names };
}

/** Edits that give norms their new statistics, for a model whose units are masked (all fit) or cut. */
export function normEdits(
	{ graph }: Model,
	norms: readonly NormDecision[],
	tensors: ReadonlyMap<string, Tensor>,
	fit: Fit,
): Edit[] {
	const fresh = freshNames(graph);
	const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
	return norms.flatMap(({ node: id, mean, variance }) => {
		let node = present(nodes.get(id), 'a norm with new statistics');
		const edits: Edit[] = [];
		for (const [slot, key] of [
			[meanSlot, mean],
			[varianceSlot, variance],
		] as const) {
			const name = fresh(`${node.inputs[slot] ?? 'statistic'}_reestimated`);
			const tensor = cutAxes(present(tensors.get(key), key), fit(id, slot));
			edits.push({ kind: 'constant', tensor: { ...tensor, name } });
			node = withInput(node, slot, name);
		}
		return [...edits, { kind: 'node', node }];
	});
}
