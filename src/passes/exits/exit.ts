/** Early exits: a run stops behind a layer when the head of the model is sure of what it reads there. */
import { Fault } from '../../diagnostic.ts';
import { isStateTensor } from '../../ir/anatomy/state.ts';
import { type Net, type NetTensor } from '../../ir/axes/net.ts';
import { isFloat } from '../../ir/graph/dtype.ts';
import { upstream } from '../../ir/graph/flow.ts';
import { subgraphs, type Model, type Tensor, type ValueInfo, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { type Claim } from '../../ir/proof.ts';
import { resolveRanges } from '../../ir/recipe/ranges.ts';
import { type Predicate } from '../../ir/recipe/recipe.ts';
import { noExit, noExits, noThreshold } from '../../messages/exit.ts';
import { alreadyRemoved } from '../../messages/plan.ts';
import { opsetLacks } from '../../messages/tokens.ts';
import { agreementAsked, confidenceFor } from './exit-agreement.ts';
import { hasThresholds, held, signals, type Scores } from './exit-condition.ts';
import { bypassed } from './exit-bypass.ts';
import { withExits } from './exit-graph.ts';
import { featuresOf, fitHeads, heads } from './exit-heads.ts';
import { lastOf, stagesOf, withLastPositions, type Exit, type Exits, type Staging } from './exit-stages.ts';
import { protectedBehind } from '../scope.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

export const exit = defineTechnique<Exits>({
	words: {
		name: 'exit',
		isSlower: true,
		verb: 'exit',
		aliases: [],
		summary:
			'Stop behind a layer when the head is sure there; it reads a linear map to the last layer where there is calibration data.',
		example: 'exit after layer 5 when confidence > 0.9',
		amounts: [],
		bare: true,
		clauses: ['after', 'fit'],
		needs: ['after', 'when'],
		choices: { with: heads },
		signals,
		metrics: [],
	},
	plan,
	lower,
});

async function plan(request: PlanRequest): Promise<Planned<Exits>> {
	const { step, numbering, anatomy } = request;
	const found = decide(request);
	const first = found.exits[0]?.layer ?? 0;
	const [fitting, judging] = partsOf(request, found.when);
	const { tensors, fitted } = await fitHeads(fitting, found);
	const decision = await withAgreement(judging, found, tensors);
	return {
		plan: {
			...saidOf(step),
			selected: decision.exits.length,
			of: anatomy.layers.length,
			unit: 'layers end in an exit',
			removed: [],
			refused: [],
			...(fitted.length > 0 && { compensated: fitted }),
			decision,
		},
		tensors,
		// Layers behind the first exit lie in a branch, where later statements do not reach.
		numbering: { ...numbering, layers: numbering.layers.filter((given) => given <= first) },
	};
}

/** Where data chooses the threshold, heads are fitted to half of the examples, temperatures too, and the other half judges. */
function partsOf(
	request: PlanRequest,
	when: Predicate,
): readonly [fitting: PlanRequest, judging: PlanRequest] {
	const { lab } = request;
	if (agreementAsked(when) === undefined || lab?.calibrated !== true) return [request, request];
	const [fitting, judging] = lab.halves();
	return [
		{ ...request, lab: fitting },
		{ ...request, lab: judging },
	];
}

/** A condition on agreement becomes one on confidence. */
async function withAgreement(
	request: PlanRequest,
	decision: Exits,
	tensors: ReadonlyMap<string, Tensor>,
): Promise<Exits> {
	const asked = agreementAsked(decision.when);
	if (asked === undefined) return decision;
	const model = withLastPositions(request.model, decision.exits);
	const early = decision.exits.map((exit) => bypassed(model, exit, decision, tensors));
	const { value, areProbabilities } = decision.scores;
	return {
		...decision,
		when: await confidenceFor(asked, { early, scores: value, areProbabilities }, request),
	};
}

function decide(request: PlanRequest): Exits {
	const { step, model, anatomy, net } = request;
	const when = thresholdsOf(request);
	const final = anatomy.layers.at(-1)?.residuals.at(-1)?.after;
	const refuse = (why: string): Fault => new Fault(noExits({ why }, { span: step.span }));
	if (final === undefined) throw refuse('no residual path ends in its last layer');
	const exits = exitsOf(request, final);
	checkOpset(request, exits);
	const staging = stagesOf(withLastPositions(model, exits).graph, { exits, final });
	exits.forEach(({ layer }, at) => {
		const why = whatIsProtected(request, layer) ?? whatNeedsMore(request, staging, layer, at);
		if (why !== undefined) throw new Fault(noExit({ layer, why }, { span: step.spans.after ?? step.span }));
	});
	const scores = scoresOf(net, staging);
	if (typeof scores === 'string') throw refuse(scores);
	const logits = logitsOf(staging, scores);
	if (step.with === undefined || step.with === 'map') return { exits, final, scores, logits, when };
	const features = featuresOf(net, staging, logits);
	if (features === undefined)
		throw refuse(`no single matrix makes '${logits}', in whose place one of its own could stand`);
	return { exits, final, scores, logits, features, when };
}

/** `Max` broadcasts from opset 8 on; the last position is named by −1, which `Gather` takes from 11 on. */
function checkOpset({ model, step }: PlanRequest, exits: readonly Exit[]): void {
	const has = model.opsets.get('') ?? 1;
	const readsLast = exits.some(({ of }) => of !== undefined);
	const needs = readsLast ? 11 : 8;
	const what = readsLast ? 'an exit on the last position' : 'an exit';
	if (has < needs) throw new Fault(opsetLacks({ what, needs, has }, { span: step.span }));
}

function logitsOf({ head }: Staging, { value, areProbabilities }: Scores): ValueName {
	const maker = areProbabilities ? head.find(({ outputs }) => outputs.includes(value)) : undefined;
	return maker?.inputs[0] ?? value;
}

function thresholdsOf({ step }: PlanRequest): Predicate {
	if (step.when === undefined || (agreementAsked(step.when) === undefined && !hasThresholds(step.when)))
		throw new Fault(noThreshold({}, { span: step.spans.when ?? step.span }));
	return step.when;
}

/** The residual value behind each layer that `after` names. */
function exitsOf({ step, numbering, anatomy, net, model }: PlanRequest, final: ValueName): Exit[] {
	const fresh = freshNames(model.graph);
	const span = step.spans.after ?? step.span;
	const named = step.after.flatMap((point) =>
		point.kind === 'layers' ? resolveRanges(point.ranges, numbering.layerCount) : [],
	);
	if (named.length === 0)
		throw new Fault(noExits({ why: 'none of its layers is where `after` says' }, { span }));
	return [...new Set(named)]
		.sort((a, b) => a - b)
		.map((given) => {
			const at = numbering.layers.indexOf(given);
			if (at < 0) throw new Fault(alreadyRemoved({ index: given, what: 'layer', where: '' }, { span }));
			const value = anatomy.layers[at]?.residuals.at(-1)?.after;
			const [own, last] = [value === undefined ? undefined : net.tensors.get(value), net.tensors.get(final)];
			const why = whyNot(own, last, at === anatomy.layers.length - 1);
			if (why !== undefined || own === undefined)
				throw new Fault(noExit({ layer: given, why: why ?? '' }, { span }));
			const before = anatomy.layers[at]?.residuals[0]?.before ?? own.name;
			const common = { layer: given, before, features: own.sizes.at(-1) ?? 1 };
			if (sameSizes(own, last)) return { ...common, value: own.name };
			return { ...common, value: fresh(`${own.name}_last`), of: own.name };
		});
}

function whyNot(
	own: NetTensor | undefined,
	last: NetTensor | undefined,
	isLast: boolean,
): string | undefined {
	if (isLast) return 'it is the last layer';
	if (own === undefined) return 'its residual path could not be followed';
	return sameSizes(own, last) || endsIn(own, last)
		? undefined
		: 'its result has other sizes than what the head reads';
}

function sameSizes(own: NetTensor, last: NetTensor | undefined): boolean {
	return (
		own.sizes.length === last?.sizes.length && own.sizes.every((size, axis) => size === last.sizes[axis])
	);
}

/** Whether the head reads the last position alone, of as many features. */
function endsIn({ sizes: [batch, , features], sizes }: NetTensor, last: NetTensor | undefined): boolean {
	const isOne = last?.sizes.length === 3 && last.sizes[1] === 1 && last.dynamic[1] !== true;
	return isOne && sizes.length === 3 && last.sizes[0] === batch && last.sizes[2] === features;
}

/** A layer that no statement touches cannot be left out. */
function whatIsProtected(request: PlanRequest, exit: number): string | undefined {
	const found = protectedBehind(request, exit);
	return found === undefined ? undefined : `layer ${found}, which it would leave out, is protected`;
}

/** Why the layers behind an exit would have to run all the same. */
function whatNeedsMore(
	{ anatomy, numbering, model: { graph }, net }: PlanRequest,
	{ stages, head }: Staging,
	layer: number,
	exit: number,
): string | undefined {
	const later = anatomy.layers.filter((_, at) => (numbering.layers[at] ?? at) > layer);
	const blocks = new Set(later.flatMap((one) => one.blocks.map(({ node }) => node.node)));
	if (head.some((node) => node.bodies !== undefined || subgraphs(node).length > 0))
		return 'a node with a body stands behind the last layer (several exits go into one statement)';
	if (!stages.slice(0, exit + 1).some((nodes) => nodes.some((node) => blocks.has(node)))) return undefined;
	const output = graph.outputs.find(
		({ name }) =>
			!head.some((node) => node.outputs.includes(name)) &&
			[...upstream(graph.nodes, [name])].some((node) => blocks.has(node)),
	);
	if (output === undefined) return 'the head also reads what a later layer makes';
	const tensor = net.tensors.get(output.name);
	const state = tensor !== undefined && isStateTensor(net, tensor);
	return `output '${output.name}' ${state ? 'carries the state of' : 'shows'} a later layer`;
}

/** The one output of class scores; or why there is none. */
function scoresOf({ facts, model: { graph } }: Net, { head, outputs }: Staging): Scores | string {
	/** Of an output; that of a single position counts as one of classes. */
	const rank = ({ name }: ValueInfo): number | undefined => {
		const { sizes, dynamic = [] } = facts.of(name) ?? {};
		return sizes?.length === 3 && sizes[1] === 1 && dynamic[1] !== true ? 2 : sizes?.length;
	};
	const perToken = outputs.find((output) => (rank(output) ?? 3) > 2);
	if (perToken !== undefined)
		return `output '${perToken.name}' has a row for each token, and exits are for class scores (of a next-token model, \`prune tokens keep last after last attention\` leaves those of the last)`;
	const found = outputs.filter((output) => rank(output) === 2 && isFloat(facts.of(output.name)?.type ?? 0));
	const [output] = found;
	if (output === undefined || found.length > 1)
		return output === undefined
			? `no output of class scores comes from the last layer (${graph.outputs.map(({ name }) => name).join(', ')})`
			: `which output holds the class scores cannot be told: ${found.map(({ name }) => name).join(', ')}`;
	const { sizes = [], dynamic = [] } = facts.of(output.name) ?? {};
	const classes = sizes.at(-1) ?? 0;
	if (classes < 2 || dynamic.at(-1) === true)
		return `output '${output.name}' does not have a fixed number of classes`;
	const maker = head.find((node) => node.outputs.includes(output.name));
	const ofLast = sizes.length === 3;
	return {
		value: output.name,
		classes,
		areProbabilities: maker?.op === 'Softmax',
		...(ofLast && { ofLast }),
	};
}

/**
 * Rewrite: an `If` for each exit. References: thresholds that nothing meets, the model before; thresholds of one exit that
 * everything meets, the model before with the layers behind that exit bypassed.
 */
function lower({ net, decision, tensors, label }: LowerTask<Exits>): Lowered {
	const model = withLastPositions(net.model, decision.exits);
	const { edits: made, thresholds } = withExits(model, decision, tensors);
	const lasts = decision.exits.flatMap(({ value, of }) => (of === undefined ? [] : lastOf(value, of)));
	const edits = [...lasts.map((node): Edit => ({ kind: 'insert', node })), ...made];
	const hold = (open: number | undefined) => (after: Model) =>
		applyPatch(after, {
			label: 'thresholds',
			edits: thresholds.flatMap((own, at) =>
				held(own, at === open).map((tensor): Edit => ({ kind: 'constant', tensor })),
			),
		});
	const cut = decision.exits.map((exit) => bypassed(model, exit, decision, tensors));
	const [first = model] = cut;
	const claims: Claim[] = [
		{
			says: 'the model before, with thresholds that nothing meets',
			reference: net.model,
			controls: [() => first],
			rewritten: hold(undefined),
		},
		...decision.exits.map(({ layer }, at): Claim => ({
			says: `the layers after layer ${layer} bypassed, with thresholds that everything meets`,
			reference: cut[at] ?? model,
			controls: [() => model],
			rewritten: hold(at),
		})),
	];
	return { patch: { label, edits }, claims };
}
