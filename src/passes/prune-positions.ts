/**
 * Tables of positions without the rows that no input reaches. `keep 128` is exact for inputs of up to 128 positions, and longer ones are
 * out of range; bare, only rows go that a model of fixed length never reads.
 */
import { bug, Fault, present, type Diagnostic } from '../diagnostic.ts';
import { elementType } from '../ir/graph/dtype.ts';
import { nodeLabel, subgraphs, type Tensor } from '../ir/graph/graph.ts';
import { constantsOf } from '../ir/graph/constants.ts';
import { freshNames, type Edit } from '../ir/graph/patch.ts';
import { cutTensor, isReadable } from '../ir/graph/tensor.ts';
import { fixedInts, intAttribute } from '../ir/axes/view.ts';
import { type Net, type NetNode, type NetTensor } from '../ir/axes/net.ts';
import { nothingToDo, stays } from '../messages/exact.ts';
import { fewerPositions, positionsNeeded } from '../messages/positions.ts';
import { spoiled } from './exact.ts';
import { sitesInScope } from './sites.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from './technique.ts';

/** A node that reads rows of a stored table by position. */
type Site = {
	readonly node: NetNode;
	readonly table: Tensor;
	readonly axis: number;
	/** Rows that are read whatever the input is; undefined when that depends on its length. */
	readonly read: number | undefined;
	/** Rows that every input reads. */
	readonly least: number;
};
type Cuts = {
	readonly tables: readonly { readonly node: number; readonly axis: number; readonly keep: number }[];
};

export const prunePositions = defineTechnique<Cuts>({
	words: {
		name: 'prune-positions',
		verb: 'prune',
		target: 'positions',
		aliases: ['position'],
		summary:
			'Drop rows of position tables: those that no input of a fixed length reaches, or with `keep 128` those that shorter inputs do not.',
		example: 'prune positions keep 128',
		amounts: ['keep-count'],
		bare: true,
		clauses: ['in', 'except'],
		metrics: [],
	},
	plan: (request) => Promise.resolve(plan(request)),
	lower,
});

function plan(request: PlanRequest): Planned<Cuts> {
	const { step, net, numbering } = request;
	const { span } = step;
	const inScope = sitesInScope(request);
	const sites = net.nodes.flatMap((node) => (inScope(node.node) ? (siteAt(node) ?? []) : []));
	const wanted = step.amount?.kind === 'keep-count' ? step.amount.count : undefined;
	const cuts = sites.flatMap((site) => {
		const keep = wanted ?? site.read ?? Infinity;
		if (keep < site.least)
			throw new Fault(
				positionsNeeded({ where: nodeLabel(site.node.node), keep, least: site.least }, { span }),
			);
		return keep < rowsOf(site) && !isShared(site, sites, net) ? [{ ...site, keep }] : [];
	});
	const longest = Math.max(0, ...cuts.map(rowsOf));
	const found = { unit: 'position tables', of: sites.length };
	const nothing = cuts.length === 0 ? [nothingToDo(found, { span })] : [];
	const isShorter = wanted !== undefined && cuts.length > 0;
	const shorter = isShorter ? [fewerPositions({ keep: wanted, before: longest }, { span })] : [];
	return {
		plan: {
			...saidOf(step, 'unused rows'),
			selected: cuts.length,
			of: sites.length,
			unit: 'position tables',
			removed: [],
			refused: [...nothing, ...staying(sites, request), ...shorter],
			exact: true,
			decision: { tables: cuts.map(({ node, axis, keep }) => ({ node: node.node.id, axis, keep })) },
		},
		tensors: new Map(),
		numbering,
	};
}

/** The tables that stay whole, with the reason. */
function staying(sites: readonly Site[], { step, net }: PlanRequest): Diagnostic[] {
	const isBare = step.amount === undefined;
	const stay = sites.filter((site) => (isBare ? site.read === undefined : isShared(site, sites, net)));
	const why = isBare
		? 'how far it is read depends on the input; `keep 128` says how far'
		: 'another operator reads its table';
	const labels = stay.map(({ node }) => nodeLabel(node.node));
	return labels.length === 0 ? [] : [stays({ unit: 'position tables', why, labels }, { span: step.span })];
}

const rowsOf = ({ table, axis }: Pick<Site, 'table' | 'axis'>): number => table.dims[axis] ?? 0;

/** Whether somebody else reads the same table, who would still need all of it. */
function isShared({ table }: Site, sites: readonly Site[], { model }: Net): boolean {
	const readers = model.graph.nodes.filter(({ inputs }) => inputs.includes(table.name));
	return readers.some(({ id }) => !sites.some(({ node }) => node.node.id === id));
}

function siteAt(node: NetNode): Site | undefined {
	const table = node.inputs[0]?.constant;
	if (table === undefined || elementType(table.type)?.kind !== 'float' || !isReadable(table))
		return undefined;
	if (node.node.domain !== '' || table.dims.length < 2) return undefined;
	if (node.node.op === 'Gather') return gathered(node, table);
	return node.node.op === 'Slice' ? sliced(node, table) : undefined;
}

/** https://onnx.ai/onnx/operators/onnx__Gather.html */
function gathered(node: NetNode, table: Tensor): Site | undefined {
	const ids = node.inputs[1];
	if (ids === undefined || intAttribute(node.view, 'axis', 0) !== 0 || !isCounted(ids)) return undefined;
	const known = fixedInts(node.view, 1);
	const read = known === undefined ? undefined : 1 + Math.max(0, ...known);
	// Counted positions along an axis of a size that does not change are at least that many.
	const length = ids.dynamic.at(-1) === true ? 1 : (ids.sizes.at(-1) ?? 1);
	return { node, table, axis: 0, read, least: read ?? length };
}

/** From row 0 on; https://onnx.ai/onnx/operators/onnx__Slice.html, the form with inputs (version 10 and later). */
function sliced(node: NetNode, table: Tensor): Site | undefined {
	const [starts, axes, steps] = [1, 3, 4].map((slot) => fixedInts(node.view, slot));
	const [axis = 0, more] = axes ?? [0];
	const forward = node.inputs[4] === undefined || steps?.[0] === 1;
	if (starts?.length !== 1 || starts[0] !== 0 || more !== undefined || !forward) return undefined;
	const at = axis < 0 ? axis + table.dims.length : axis;
	const [end] = fixedInts(node.view, 2) ?? [];
	const size = table.dims[at] ?? 0;
	const read = end === undefined ? undefined : Math.min(size, end < 0 ? end + size : end);
	return { node, table, axis: at, read, least: read ?? 1 };
}

/** Whether a value is made of sizes and constants alone, or is an input that is named for positions: numbers counted up. */
export function isCounted(tensor: NetTensor, seen = new Set<NetTensor>()): boolean {
	if (seen.has(tensor) || tensor.constant !== undefined) return true;
	seen.add(tensor);
	if (tensor.io.includes('input')) return tensor.name.toLowerCase().includes('position');
	const { producer } = tensor;
	if (producer === undefined || subgraphs(producer.node).length > 0) return tensor.fixed;
	if (producer.readsShape) return true;
	return producer.inputs.every((input) => input === undefined || isCounted(input, seen));
}

/** Reference: the model before, on inputs that are short enough. Controls: a table with other numbers. */
function lower({ net: { model }, decision: { tables }, label }: LowerTask<Cuts>): Lowered {
	const fresh = freshNames(model.graph);
	const constants = constantsOf(model.graph);
	const made = new Map<string, Tensor>();
	const edits = tables.flatMap(({ node: id, axis, keep }): Edit[] => {
		const node =
			model.graph.nodes.find((one) => one.id === id) ?? bug('a plan names a node that is not there', { id });
		const [name = ''] = node.inputs;
		const table = present(constants.get(name), name);
		const rows = Array.from({ length: keep }, (_, at) => at);
		const key = `${name} ${axis} ${keep}`;
		const known = made.get(key);
		const short = known ?? { ...cutTensor(table, axis, rows), name: fresh(`${name}_${keep}`) };
		made.set(key, short);
		const read: Edit = { kind: 'node', node: { ...node, inputs: [short.name, ...node.inputs.slice(1)] } };
		return known === undefined ? [{ kind: 'constant', tensor: short }, read] : [read];
	});
	return {
		patch: { label, edits },
		claims: [{ says: 'the model before', reference: model, controls: spoiled(model, edits, label) }],
	};
}
