/**
 * What is fitted for exits on calibration data. The head reads a linear map (`exit-map.ts`), or has a last matrix of its own: by ridge
 * regression to the logits of the whole model, or by logistic regression from there to its probabilities, neither of which takes labels,
 * or to labels. Logits are then divided by a temperature, so that being sure means the same at every exit.
 */
import { Fault } from '../../diagnostic.ts';
import { type Net } from '../../ir/axes/net.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { freshNames } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type Lab, type Rows } from '../../ir/lab.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { type Choice } from '../../ir/recipe/vocabulary.ts';
import { noLabels, tooFewToFit } from '../../messages/exit.ts';
import { fitToClasses, fitToTeacher, type HeadData } from '../../numerics/class-head.ts';
import { softmaxed, temperatureOf } from '../../numerics/temperature.ts';
import { bypassed } from './exit-bypass.ts';
import { fitMaps, type Maps } from './exit-map.ts';
import {
	copied,
	halvesOf,
	headNames,
	stagesOf,
	temperatureName,
	withLastPositions,
	type Exits,
	type Staging,
} from './exit-stages.ts';
import { type Compensated, type PlanRequest } from '../technique.ts';

export const heads: readonly Choice[] = [
	{
		word: 'map',
		summary: "the model's head on a linear map to the last layer, without saying so; no map without data",
	},
	{
		word: 'ridge',
		summary: 'a last matrix of its own, fitted to the class scores of the whole model; needs data',
	},
	{
		word: 'distilled',
		summary:
			'the same matrix, fitted to how likely the whole model finds each class, by logistic regression; needs data',
	},
	{ word: 'labels', summary: 'a last matrix of its own, fitted to the labels in the data' },
];

/** Held-out examples that one number can be fitted to without saying more about them than about others. */
const enough = 20;
/** Examples without which a matrix is not fitted: every fifth is held out, and two of those are the least to judge by. */
const least = 10;

/** What the last matrix before the logits reads, of their rank: [batch, features]. Undefined where no one matrix makes them. */
export function featuresOf(net: Net, { head }: Staging, logits: ValueName): ValueName | undefined {
	for (let name = logits; ;) {
		const node = head.find(({ outputs }) => outputs.includes(name));
		const found = node && net.byNode.get(node.id);
		const moving = found?.inputs.filter((input) => input !== undefined && !input.fixed) ?? [];
		const [only] = moving;
		if (found === undefined || only === undefined || moving.length > 1) return undefined;
		if (['MatMul', 'Gemm', 'FusedMatMul', 'FusedGemm'].includes(found.node.op))
			return only.sizes.length === net.tensors.get(logits)?.sizes.length ? only.name : undefined;
		name = only.name;
	}
}

/** Maps or matrices, and temperatures, for every exit; none without calibration data. */
export async function fitHeads(request: PlanRequest, decision: Exits): Promise<Maps> {
	const model = withLastPositions(request.model, decision.exits);
	const { lab, step } = request;
	const own = decision.features !== undefined;
	const { tensors, fitted } = own
		? await fitMatrices({ ...request, model }, decision, decision.features)
		: await fitMaps({ ...request, model }, decision);
	if (lab?.calibrated !== true) return { tensors, fitted };
	const all = new Map(tensors);
	const told: Compensated[] = [];
	const [whole] = (await lab.rows(request.model, [decision.logits], 'held out')).values;
	for (const [at, exit] of decision.exits.entries()) {
		const early = await lab.rows(bypassed(model, exit, decision, tensors), [decision.logits], 'held out');
		const temperature = temperatureFor(early, whole, step.with === 'labels');
		const [one] = fitted.slice(at, at + 1);
		if (one) told.push({ ...one, ...(temperature !== undefined && { temperature }) });
		const name = temperatureName(exit.layer);
		if (temperature !== undefined)
			all.set(name, tensorOf(name, typeOf(request.net, decision.logits), [], [temperature]));
	}
	return { tensors: all, fitted: told };
}

function typeOf({ facts }: Net, value: ValueName): number {
	return facts.of(value)?.type ?? FLOAT;
}

/** Against the probabilities of the whole model, or the labels; undefined for too few examples, or some without a label. */
function temperatureFor(early: Rows, whole: Matrix | undefined, byLabels: boolean): number | undefined {
	const [scores] = early.values;
	if (scores === undefined || whole === undefined || scores.rows < enough) return undefined;
	const wanted = byLabels ? oneHot(early.labels, scores.cols) : softmaxed(whole);
	return wanted && temperatureOf(scores, wanted);
}

/** Undefined where a label is not the number of a class. */
function oneHot(labels: Rows['labels'], classes: number): Matrix | undefined {
	const result = matrix(labels.length, classes);
	for (const [row, label] of labels.entries()) {
		if (label === undefined || !Number.isInteger(label) || label < 0 || label >= classes) return undefined;
		result.data[row * classes + label] = 1;
	}
	return result;
}

async function fitMatrices(request: PlanRequest, decision: Exits, features: ValueName): Promise<Maps> {
	const { lab, step, model, net } = request;
	const place = { span: step.spans.with ?? step.span };
	const head = step.with ?? '';
	if (lab?.calibrated !== true) throw new Fault(tooFewToFit({ head, found: 0, least }, place));
	const probe = probed(model, decision, features);
	const names = [decision.logits, ...probe.exits.flatMap((exit) => [exit.features, exit.logits])];
	const rows = await lab.rows(probe.model, names, 'all');
	const [teacher = matrix(0, 0), ...own] = rows.values;
	if (teacher.rows < least) throw new Fault(tooFewToFit({ head, found: teacher.rows, least }, place));
	const labels = head === 'labels' ? labelsOf(rows, teacher.cols, place) : undefined;
	const tensors = new Map<string, Tensor>();
	const fitted: Compensated[] = [];
	for (const [at, { layer }] of decision.exits.entries()) {
		const [read, scores] = [own[2 * at] ?? matrix(0, 0), own[2 * at + 1] ?? matrix(0, 0)];
		const data = { features: read, scores, teacher, heldOut: rows.heldOut };
		const classes = head === 'distilled' ? softmaxed(teacher) : labels;
		const { weight, bias, ...told } = await fit(data, classes, lab);
		fitted.push({ layer, ...told });
		if (told.choice === 'none') continue;
		const [weightName = '', biasName = ''] = headNames(layer);
		const type = typeOf(net, decision.logits);
		tensors.set(weightName, tensorOf(weightName, type, [weight.rows, weight.cols], weight.data));
		tensors.set(biasName, tensorOf(biasName, type, [weight.cols], bias));
	}
	return { tensors, fitted };
}

function fit(
	data: HeadData,
	classes: Matrix | undefined,
	{ products }: Lab,
): ReturnType<typeof fitToTeacher> {
	return classes === undefined ? fitToTeacher(data, products) : fitToClasses(data, classes, products);
}

function labelsOf(
	{ labels }: Rows,
	classes: number,
	place: { readonly span: { start: number; end: number } },
): Matrix {
	const found = oneHot(labels, classes);
	if (found !== undefined) return found;
	const usable = labels.filter((label) => oneHot([label], classes) !== undefined).length;
	throw new Fault(noLabels({ found: usable, count: labels.length, classes }, place));
}

/** The model with a copy of its head on each exit's value, which nothing reads. */
function probed(
	model: Model,
	decision: Exits,
	features: ValueName,
): {
	readonly model: Model;
	readonly exits: readonly { readonly features: ValueName; readonly logits: ValueName }[];
} {
	const fresh = freshNames(model.graph);
	const { before } = halvesOf(stagesOf(model.graph, decision), decision.logits, undefined);
	let id = Math.max(...model.graph.nodes.map((node) => node.id));
	const nodes = [...model.graph.nodes];
	const exits = decision.exits.map(({ layer, value }) => {
		const names = new Map([[decision.final, value]]);
		const added = copied(names, before, `probe_${layer}`, fresh);
		nodes.push(...added.map((node) => ({ ...node, id: ++id })));
		return {
			features: names.get(features) ?? features,
			logits: names.get(decision.logits) ?? decision.logits,
		};
	});
	return { model: { ...model, graph: { ...model.graph, nodes } }, exits };
}
