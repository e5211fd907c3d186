/** Attentions that one linear map of what they read can stand in for: which they are, and why others stay. */
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { residualAfter, type Sum } from '../../ir/anatomy/layers.ts';
import { linearOf, type Block, type Linear } from '../../ir/anatomy/parts.ts';
import { operandOf, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { nodeLabel } from '../../ir/graph/graph.ts';
import { stays } from '../../messages/exact.ts';
import { noAnatomy } from '../../messages/plan.ts';
import { layersInScope } from '../scope.ts';
import { type PlanRequest } from '../technique.ts';
import { outputProjection } from './attention-changes.ts';

export type LinearSite = {
	/** The layer's number in the model as given. */
	readonly given: number;
	readonly block: Block;
	/** What queries, keys and values are projected from. */
	readonly from: NetTensor;
	/** What a map of that takes the place of: what the output projection puts out, or what the residual sum adds. */
	readonly to: NetTensor;
	/** The output projection, where the map can take its place: rows of both are the same. */
	readonly projection?: Linear;
	readonly sum: Sum;
};

/** Throws `Fault` where there is no attention in scope. */
export function linearSites(request: PlanRequest): {
	readonly sites: readonly LinearSite[];
	readonly refused: readonly Diagnostic[];
} {
	const { step } = request;
	const blocks = layersInScope(request).flatMap(({ layer, given }) =>
		layer.blocks.filter(({ kind }) => kind === 'attention').map((block) => ({ given, block })),
	);
	if (blocks.length === 0)
		throw new Fault(noAnatomy({ target: 'attentions', scoped: step.in.length > 0 }, { span: step.span }));
	const sites: LinearSite[] = [];
	const refused: Diagnostic[] = [];
	for (const { given, block } of blocks) {
		const found = siteOf(block);
		if (typeof found === 'object') sites.push({ given, block, ...found });
		else refused.push(staying(block, found, request));
	}
	return { sites, refused };
}

export function staying({ node }: Block, why: string, { step }: PlanRequest): Diagnostic {
	return stays({ unit: 'attentions', why, labels: [nodeLabel(node.node)] }, { span: step.span });
}

function siteOf({ node, cross }: Block): Omit<LinearSite, 'given' | 'block'> | string {
	if (cross) return 'it attends to another sequence';
	const sum = residualAfter(node);
	if (sum === undefined) return 'the residual sum behind it could not be followed';
	const { skip } = sum;
	const nodes = nodesOf(node, skip) ?? new Set();
	const [from, ...others] = valuesRead(nodes);
	if (from === undefined) return 'what its projections read could not be told';
	const names = [from, ...others].map(({ name }) => `'${name}'`);
	if (others.length > 0) return `its projections read different values: ${names.join(', ')}`;
	const seen = [...nodes].flatMap(({ outputs }) => outputs).find((output) => output?.io.includes('output'));
	if (seen !== undefined) return `the model puts out '${seen.name}', which is made in it`;
	if (from.inBody || sum.output.inBody) return 'it stands inside a body';
	return (
		atProjection(outputProjection(node), from, sum) ??
		atSum(from, sum) ??
		`its projections read '${from.name}', whose rows are not those of what it adds`
	);
}

type Place = Pick<LinearSite, 'from' | 'to' | 'projection' | 'sum'>;

function atProjection(projection: Linear | undefined, from: NetTensor, sum: Sum): Place | undefined {
	const [to] = projection?.node.outputs ?? [];
	if (projection?.slot !== 1 || to === undefined || !replaceable.has(projection.node.node.op))
		return undefined;
	return areAlike(from, operandOf(projection.node, 'in', 0)) ? { from, to, projection, sum } : undefined;
}

/** Products without anything behind them. */
const replaceable: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'FusedMatMul']);

/** Before what only moves its numbers, what is read may lie as what is added does. */
function atSum(from: NetTensor, sum: Sum): Place | undefined {
	const to = sum.node.inputs.find((input) => input !== undefined && input !== sum.skip && !input.fixed);
	for (let value: NetTensor | undefined = from; value !== undefined && to !== undefined;) {
		if (areAlike(value, to)) return { from: value, to, sum };
		value = moving.has(value.producer?.node.op ?? '') ? value.producer?.inputs[0] : undefined;
	}
	return undefined;
}

const moving: ReadonlySet<string> = new Set([
	'Transpose',
	'Reshape',
	'Identity',
	'Squeeze',
	'Unsqueeze',
	'Flatten',
]);

/** Rows one to one: all axes but the last are of the same sizes. */
function areAlike(one: NetTensor, other: NetTensor | undefined): boolean {
	const rows = ({ sizes, dynamic }: NetTensor): string =>
		sizes
			.map((size, axis) => `${size}${dynamic[axis] === true ? '?' : ''}`)
			.slice(0, -1)
			.join();
	return other?.sizes.length === one.sizes.length && rows(one) === rows(other);
}

/** The nodes of an attention, from its product with the values back to its projections, these included. */
function nodesOf(attention: NetNode, skip: NetTensor): ReadonlySet<NetNode> | undefined {
	const found = new Set([attention]);
	for (const node of found) {
		if (isPacked(node) || linearOf(node) !== undefined) continue;
		for (const input of node.inputs) {
			if (input === undefined || input.fixed) continue;
			if (input === skip || found.size > most) return undefined;
			if (input.producer !== undefined && input.producer.node.op !== 'Shape') found.add(input.producer);
		}
	}
	return found;
}

/** Masks and rotations included, an attention has a few dozen nodes. */
const most = 200;

/** A fused attention that holds the matrices of its projections. */
const isPacked = ({ node, inputs }: NetNode): boolean => node.op === 'Attention' && inputs[1]?.fixed === true;

function valuesRead(nodes: ReadonlySet<NetNode>): readonly NetTensor[] {
	const read = [...nodes].flatMap((node) => {
		const linear = linearOf(node);
		if (linear !== undefined) return operandOf(node, 'in', linear.input) ?? [];
		return isPacked(node) ? (node.inputs[0] ?? []) : [];
	});
	return [...new Set(read)];
}
