/**
 * Softmaxes and their scales. Exact: the constant that scores are multiplied with goes into the query projection, and a softmax
 * that only ranks (every reader is ArgMax, or the indices of TopK) goes, since it keeps the order. By consent, `at output`:
 * a softmax at the model's end goes, and the output holds logits.
 */
import { Fault } from '../../diagnostic.ts';
import { nodeLabel, type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import {
	isActivationMatMul,
	isOverLast,
	leadsToSoftmax,
	onChannels,
	sourceOf,
} from '../exact/attention-paths.ts';
import { disturbed, lowerFolds, planFolds, type Folded, type Folds, type Rule } from '../exact/exact.ts';
import { axisOf } from '../edits.ts';
import { foldBehind } from '../exact/projection.ts';
import { type Rewriting } from '../exact/rewriting.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	withAmount,
} from '../technique.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { unsupportedAmount } from '../../messages/check.ts';
import { keepAndTopk } from '../../messages/exact.ts';
import { functionWords, planWeighings, weighable } from './softmax-functions.ts';
import { lowerWeighings, type Weighings } from './softmax-graph.ts';
import { planLinear } from './linear-attention.ts';
import { lowerLinear, type LinearMaps } from './linear-graph.ts';
import { linearSites } from './linear-sites.ts';
import { planStill, stillable } from './still-attention.ts';
import { lowerStill, type Stills } from './still-graph.ts';
import { movedInput, scalarOf } from '../exact/trace.ts';

const exact: readonly Rule[] = [
	{ name: 'ranking', fold: dropRanking },
	{ name: 'scale', fold: foldScale },
];
const terminal: readonly Rule[] = [{ name: 'terminal', fold: dropTerminal }];

export const pruneSoftmax = defineTechnique<Folds | Stills | Weighings | LinearMaps>({
	words: {
		name: 'prune-softmax',
		isSlower: true,
		verb: 'prune',
		target: 'softmax',
		aliases: [],
		summary:
			'Fold the scale of attention scores into the queries, drop softmaxes that only rank; `at output` the last one; `with mean` or `with constant` let attentions ignore their input, `with linear` a fitted matrix stands in for all of them, `with relu`, `sigmoid` or `topk` weigh by other functions: lossy.',
		example: 'prune softmax',
		amounts: ['remove-count', 'remove-share', 'keep-count', 'keep-share'],
		bare: true,
		clauses: ['in', 'except', 'until', 'while'],
		choices: {
			at: [{ word: 'output', summary: 'drop the softmax at the end: the output holds logits' }],
			with: [
				{ word: 'mean', summary: 'each position takes the mean of the values that it may see' },
				{ word: 'constant', summary: 'the mean of the attention weights on data, at a fixed length' },
				{ word: 'linear', summary: 'one linear map of what the attention reads, fitted on data' },
				...functionWords,
			],
		},
		metrics: [],
	},
	dial,
	plan: planAny,
	lower: ({ decision, ...task }) => {
		if ('maps' in decision) return lowerLinear({ ...task, decision });
		if ('still' in decision) return lowerStill({ ...task, decision });
		return 'functions' in decision ? lowerWeighings({ ...task, decision }) : lower({ ...task, decision });
	},
});

/** One attention that changes, two, and so on: those after whose change the outputs drift least. */
function dial(request: PlanRequest): readonly Step[] {
	const { step } = request;
	const other = step.at === 'output' ? '`at output`' : step.with === 'topk' ? '`with topk`' : undefined;
	if (other !== undefined) {
		const words = { technique: 'prune softmax', example: 'prune softmax while kl <= 0.02' };
		throw new Fault(unsupportedAmount({ amount: `a goal beside ${other}`, ...words }, { span: step.span }));
	}
	const count = attentionsIn(request);
	return Array.from({ length: count }, (_, at) => withAmount(step, { kind: 'remove-count', count: at + 1 }));
}

/** How many attentions a statement may change. */
function attentionsIn(request: PlanRequest): number {
	const { with: named } = request.step;
	if (named === 'linear') return linearSites(request).sites.length;
	return functionWords.some(({ word }) => word === named) ? weighable(request) : stillable(request);
}

async function planAny(request: PlanRequest): Promise<Planned<Folds | Stills | Weighings | LinearMaps>> {
	const { with: named, amount, spans, span } = request.step;
	const by = functionWords.find(({ word }) => word === named)?.word;
	if (by !== undefined) return planWeighings(by, request);
	if (amount?.kind === 'keep-count' || amount?.kind === 'keep-share')
		throw new Fault(keepAndTopk({ keeps: true }, { span: spans.amount ?? span }));
	if (named === 'linear') return planLinear(request);
	return named !== undefined || amount !== undefined ? planStill(request) : plan(request);
}

function plan(request: PlanRequest): Planned<Folds> {
	if (request.step.at !== 'output') return planFolds(request, exact, 'softmaxes and scales');
	const planned = planFolds(request, terminal, 'softmaxes at outputs');
	return { ...planned, plan: { ...planned.plan, requested: 'at output', exact: false } };
}

function lower(task: LowerTask<Folds>): Lowered {
	const lowered = lowerFolds(task, [...exact, ...terminal]);
	const ids = task.decision.folds.flatMap(({ rule, node }) => (rule === 'terminal' ? [node] : []));
	if (ids.length === 0) return lowered;
	const { model } = task.net;
	const dropped = model.graph.nodes.filter(({ id }) => ids.includes(id));
	const claim = {
		says: 'the model before, a softmax put behind the new output',
		reference: model,
		controls: [() => applyPatch(model, lowered.patch)],
		rewritten: (after: Model) => dropped.reduce((back, softmax) => restored(back, softmax, model), after),
	};
	return { patch: lowered.patch, claims: [claim] };
}

/** The softmax back in its place: at the end, or before what only moves it on its way there. */
function restored(after: Model, softmax: Node, { graph }: Model): Model {
	const [output = ''] = softmax.outputs;
	const isLast = graph.outputs.some(({ name }) => name === output);
	const edits = isLast ? behindLogits(after, softmax) : beforeReaders(after, softmax, graph.nodes);
	return applyPatch(after, { label: 'softmax restored', edits });
}

/** The logits took the output's name: they get another one, and the softmax of them the name. */
function behindLogits({ graph }: Model, softmax: Node): Edit[] {
	const [output = ''] = softmax.outputs;
	const logits = freshNames(graph)(`${output}_logits`);
	const renamed = (names: readonly ValueName[]): ValueName[] =>
		names.map((name) => (name === output ? logits : name));
	const holders = graph.nodes.filter(({ inputs, outputs }) => [...inputs, ...outputs].includes(output));
	return [
		...holders.map((node): Edit => {
			const renewed = { ...node, inputs: renamed(node.inputs), outputs: renamed(node.outputs) };
			return { kind: 'node', node: renewed };
		}),
		insertedAgain(softmax, logits, output),
	];
}

/** Who read the softmax reads the logits now: it reads a softmax of them. */
function beforeReaders({ graph }: Model, softmax: Node, before: readonly Node[]): Edit[] {
	const [[logits = ''], [output = '']] = [softmax.inputs, softmax.outputs];
	const weights = freshNames(graph)(output);
	const readers = new Set(before.filter(({ inputs }) => inputs.includes(output)).map(({ id }) => id));
	return [
		...graph.nodes
			.filter(({ id }) => readers.has(id))
			.map((node): Edit => {
				const inputs = node.inputs.map((name) => (name === logits ? weights : name));
				return { kind: 'node', node: { ...node, inputs } };
			}),
		insertedAgain(softmax, logits, weights),
	];
}

function insertedAgain({ id: _, ...softmax }: Node, from: ValueName, to: ValueName): Edit {
	return { kind: 'insert', node: { ...softmax, inputs: [from], outputs: [to] } };
}

const isSoftmax = ({ op }: Node): boolean => op === 'Softmax' || op === 'LogSoftmax';

/** Operators that move numbers and change none: a softmax before them is at the end all the same. */
const moving: ReadonlySet<string> = new Set([
	...['Transpose', 'Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'],
]);

/** Whether a value is an output of the model, or becomes one by being moved about. */
function endsAs(r: Rewriting, value: string, ends: ReadonlySet<string>): boolean {
	if (ends.has(value)) return true;
	const [reader, other] = r.numbersReaders(value);
	if (reader === undefined || other !== undefined || !moving.has(reader.op)) return false;
	return reader.inputs[0] === value && endsAs(r, reader.outputs[0] ?? '', ends);
}

function dropTerminal(r: Rewriting, node: Node): Folded | string | undefined {
	const [output = ''] = node.outputs;
	const ends = new Set(r.net.model.graph.outputs.map(({ name }) => name));
	if (!isSoftmax(node) || !endsAs(r, output, ends)) return undefined;
	const [reader] = r.numbersReaders(output);
	if (ends.has(output) && reader !== undefined) return `${nodeLabel(reader)} reads it too`;
	r.bypass(node.id);
	return {};
}

function dropRanking(r: Rewriting, node: Node): Folded | string | undefined {
	const [output = ''] = node.outputs;
	const readers = r.numbersReaders(output);
	if (!isSoftmax(node) || !readers.some(({ op }) => op === 'ArgMax' || op === 'TopK')) return undefined;
	const outside = r.seenOutside(output);
	if (outside !== undefined) return outside;
	const rank = r.sizesOf(output)?.length ?? 0;
	// Before opset 13 a softmax is over all axes from its own on.
	if (r.opset() < 13 && !isOverLast(r, node)) return 'it is over another axis than the last';
	const axis = isOverLast(r, node) ? rank - 1 : axisOf(node, rank, -1);
	const other = readers.find((reader) => !ranks(r, reader, output, axis));
	if (other !== undefined) return `${nodeLabel(other)} reads its numbers`;
	r.bypass(node.id);
	return { control: (before) => disturbed(r, before, node.inputs[0] ?? '', 'Mul', -1) };
}

/** Whether a reader asks for the order along an axis alone. */
function ranks(r: Rewriting, reader: Node, value: string, axis: number): boolean {
	const own = axisOf(reader, r.sizesOf(value)?.length ?? 0, reader.op === 'TopK' ? -1 : 0);
	if (own !== axis) return false;
	if (reader.op === 'ArgMax') return true;
	const [values = ''] = reader.outputs;
	const unread = values === '' || (r.readersOf(values).length === 0 && r.seenOutside(values) === undefined);
	return reader.op === 'TopK' && unread && reader.inputs[0] === value;
}

/** A constant factor of scores, behind their product or on the way into it, goes into the projection of the queries (or keys). */
function foldScale(r: Rewriting, node: Node): Folded | string | undefined {
	const [scalar, value] = [scalarOf(r, node), movedInput(r, node)];
	if (scalar === undefined || scalar === 1 || value === undefined) return undefined;
	const place = placeOf(r, node, value);
	if (place === undefined) return undefined;
	if (r.sizesOf(value)?.length !== r.sizesOf(node.outputs[0] ?? '')?.length)
		return 'its constant has more axes than the scores';
	if (typeof place === 'string') return place;
	const source = sourceOf(r, place.product, place.slot);
	if (typeof source === 'string') return source;
	const { projection, leaf } = source;
	const scale = onChannels(
		leaf.channels,
		projection.outputs,
		() => scalar,
		() => 1,
	);
	foldBehind(r, projection, { scale, shift: new Float64Array(projection.outputs) });
	r.bypass(node.id, node.inputs.indexOf(value));
	return {};
}

type Place = { readonly product: Node; readonly slot: number };

/** The product that a factor belongs to, and the operand whose projection takes it. */
function placeOf(r: Rewriting, node: Node, value: string): Place | string | undefined {
	const maker = r.makerOf(value);
	if (maker !== undefined && isActivationMatMul(r, maker)) {
		if (!leadsToSoftmax(r, node)) return undefined;
		return r.sharedWith(value, node) ?? { product: maker, slot: 0 };
	}
	let next = node.outputs[0] ?? '';
	for (let steps = 0; steps < 8; steps++) {
		const [reader, other] = r.numbersReaders(next);
		if (reader === undefined || other !== undefined) return undefined;
		if (isActivationMatMul(r, reader))
			return leadsToSoftmax(r, reader) ? { product: reader, slot: reader.inputs.indexOf(next) } : undefined;
		if (movedInput(r, reader) !== next) return undefined;
		next = reader.outputs[0] ?? '';
	}
	return undefined;
}
