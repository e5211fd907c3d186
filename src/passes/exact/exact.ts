/**
 * Exact statements: folds that leave every output as it was. Planning tries each fold on a graph that the folds before it
 * have changed, and lists what stays and why; lowering repeats the folds that planning found. The reference is the model
 * before the step, and the negative controls are the result with numbers of the folds spoiled.
 */
import { bug, present, type Diagnostic } from '../../diagnostic.ts';
import { type Model, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { type Claim } from '../../ir/proof.ts';
import { isReadable, numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { FLOAT, INT32, INT64, isFloat } from '../../ir/graph/dtype.ts';
import { nothingToDo, stays } from '../../messages/exact.ts';
import { insert } from '../edits.ts';
import { Rewriting } from './rewriting.ts';
import { sitesInScope } from '../sites.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	type Technique,
	saidOf,
} from '../technique.ts';
import { type TechniqueWords } from '../../ir/recipe/vocabulary.ts';

/** One kind of fold. It must check everything before it changes anything. */
export type Rule = {
	/** How decisions name it. */
	readonly name: string;
	/**
	 * Folds, and answers with what was done; or answers why not, in words; or with nothing where the node is none that the
	 * rule speaks of.
	 */
	readonly fold: (r: Rewriting, node: Node) => Folded | string | undefined;
};

export type Folded = {
	/** A plain graph with a mistake that this fold could have made, for folds that leave no constant to spoil. */
	readonly control?: (before: Model) => Model;
};

type Fold = { readonly rule: string; readonly node: number };
export type Folds = { readonly folds: readonly Fold[] };

/** A technique that only folds. */
export function exactTechnique(
	words: TechniqueWords,
	rules: readonly Rule[],
	unit: string,
	remark?: string,
): Technique {
	return defineTechnique<Folds>({
		words,
		plan: (request) => Promise.resolve(planFolds(request, rules, unit, remark)),
		lower: (task) => lowerFolds(task, rules),
	});
}

type Refusal = { readonly label: string; readonly why: string };

/** Tries every rule on every node in scope, in the order of the rules. */
function tryFolds(request: PlanRequest, rules: readonly Rule[]): { folds: Fold[]; refusals: Refusal[] } {
	const inScope = sitesInScope(request);
	const r = new Rewriting(request.net);
	const folds: Fold[] = [];
	const refusals: Refusal[] = [];
	for (const rule of rules) {
		for (const { id } of r.standing()) {
			const node = r.node(id);
			if (node === undefined || !inScope(node)) continue;
			const outcome = rule.fold(r, node);
			if (outcome === undefined) continue;
			if (typeof outcome !== 'string') folds.push({ rule: rule.name, node: id });
			else refusals.push({ label: labelOf(node), why: outcome });
		}
	}
	return { folds, refusals };
}

export function planFolds(
	request: PlanRequest,
	rules: readonly Rule[],
	unit: string,
	remark?: string,
): Planned<Folds> {
	const { step, numbering } = request;
	const { folds, refusals } = tryFolds(request, rules);
	const of = folds.length + refusals.length;
	const nothing = folds.length === 0 ? [nothingToDo({ unit, of }, { span: step.span })] : [];
	return {
		plan: {
			...saidOf(step, 'what is exact'),
			selected: folds.length,
			of,
			unit: remark === undefined ? unit : `${unit} (${remark})`,
			removed: [],
			refused: [...nothing, ...listRefusals(refusals, unit, request)],
			exact: true,
			decision: { folds },
		},
		tensors: new Map(),
		numbering,
	};
}

const labelOf = ({ name, op, outputs }: Node): string => `${op} '${name || (outputs[0] ?? '')}'`;

/** One note a reason, the structures it holds for a line each. */
export function listRefusals(
	refusals: readonly Refusal[],
	unit: string,
	{ step }: PlanRequest,
): Diagnostic[] {
	const byReason = new Map<string, string[]>();
	for (const { label, why } of refusals) byReason.set(why, [...(byReason.get(why) ?? []), label]);
	return [...byReason].map(([why, labels]) => stays({ unit, why, labels }, { span: step.span }));
}

/** Repeats the folds of a decision. */
export function lowerFolds(
	{ net, decision: { folds }, label }: LowerTask<Folds>,
	rules: readonly Rule[],
): Lowered {
	const r = new Rewriting(net);
	const controls: ((before: Model) => Model)[] = [];
	for (const { rule: name, node: id } of folds) {
		const rule =
			rules.find((one) => one.name === name) ?? bug('a plan names a fold that is not there', { name });
		const node = r.node(id) ?? bug('a plan names a node that is not there', { id });
		const outcome = rule.fold(r, node);
		if (outcome === undefined || typeof outcome === 'string')
			bug('a planned fold does not fold', { id, why: outcome });
		if (outcome.control !== undefined) controls.push(outcome.control);
	}
	const patch = { label, edits: r.edits() };
	const claim = asBefore(net.model, [
		...spoiled(net.model, patch.edits, label),
		...controls.slice(0, most).map((control) => () => control(net.model)),
	]);
	return { patch, claims: [claim] };
}

/** That nothing changed: the reference is the model before, and controls are the result with a mistake in it. */
export function asBefore(reference: Model, controls: Claim['controls']): Claim {
	return { says: 'the model before', reference, controls, isSpoiled: true };
}

/** Controls are tried in turn; these many are enough to find one that shows. */
const most = 4;

/** The result with its folded constants off, all of them and the largest alone. */
export function spoiled(model: Model, edits: readonly Edit[], label: string): (() => Model)[] {
	const tensors = edits.flatMap((edit) => (edit.kind === 'constant' ? [edit.tensor] : []));
	return spoiledWith(model, edits, tensors, label);
}

/**
 * The result with constants off by half and a little, which nobody would take for rounding: every floating one, the largest alone, since
 * two mistakes may hide each other, and of the others (sizes, axes, ids) the first few, off by one.
 */
export function spoiledWith(
	model: Model,
	edits: readonly Edit[],
	tensors: readonly Tensor[],
	label: string,
): (() => Model)[] {
	const sizeOf = ({ bytes }: Tensor): number => bytes?.length ?? 0;
	const readable = tensors.filter(isReadable).toSorted((a, b) => sizeOf(b) - sizeOf(a));
	const floating = readable.filter(({ type }) => isFloat(type));
	const whole = readable.filter(({ type }) => type === INT64 || type === INT32);
	const several = floating.length > 1 ? [floating] : [];
	const lots = [...several, ...[...floating.slice(0, most), ...whole.slice(0, most)].map((one) => [one])];
	return lots.map((lot) => () => {
		const wrong = lot.map((tensor): Edit => ({ kind: 'constant', tensor: spoil(tensor) }));
		return applyPatch(model, { label: `${label}, spoiled`, edits: [...edits, ...wrong] });
	});
}

/** Off when it is read, and not held afterwards. */
function spoil(tensor: Tensor): Tensor {
	const { name, type, dims, bytes } = tensor;
	const off = isFloat(type)
		? (value: number): number => 1.5 * value + 0.05
		: (value: number): number => (Number.isSafeInteger(value) ? value + 1 : value);
	const read = (): Uint8Array =>
		present(tensorOf(name, type, dims, Float64Array.from(numbersOf(tensor), off)).bytes, name).read();
	return { name, type, dims, bytes: { length: bytes?.length ?? 0, read } };
}

/** The model with a value off by something, for everybody who sees it: a control for folds that only take away. */
export function disturbed(
	r: Rewriting,
	model: Model,
	value: ValueName,
	op: 'Mul' | 'Add',
	by: number | readonly number[],
): Model {
	// Before opset 7 a number is not broadcast by itself.
	if (r.opset() < 7) return model;
	const fresh = freshNames(model.graph);
	const [constant, other] = [fresh('disturbance'), fresh(`${value}_disturbed`)];
	const [dims, values] = typeof by === 'number' ? [[], [by]] : [[by.length], by];
	const type = r.net.facts.of(value)?.type ?? FLOAT;
	const renamed = (names: readonly ValueName[]): ValueName[] =>
		names.map((name) => (name === value ? other : name));
	const maker = model.graph.nodes.find(({ outputs }) => outputs.includes(value));
	const readers = model.graph.nodes.filter(({ inputs }) => inputs.includes(value));
	const moved = maker
		? [{ ...maker, outputs: renamed(maker.outputs) }]
		: readers.map((node) => ({ ...node, inputs: renamed(node.inputs) }));
	const [from, to] = maker ? [other, value] : [value, other];
	const edits: Edit[] = [
		{ kind: 'constant', tensor: tensorOf(constant, type, dims, values) },
		insert(op, [from, constant], to),
		...moved.map((node): Edit => ({ kind: 'node', node })),
	];
	return applyPatch(model, { label: 'disturbed', edits });
}
