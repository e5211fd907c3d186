/**
 * The threshold of an exit by how often it may disagree with the whole model: the loosest confidence at which a Clopper–Pearson bound on
 * disagreement among held-out examples that leave still holds, tried from strict to loose and stopped at the first that fails, so that
 * trying many costs no confidence (fixed-sequence testing, as in CALM, arXiv:2207.07061).
 */
import { Fault, present } from '../diagnostic.ts';
import { type Model, type ValueName } from '../ir/graph/graph.ts';
import { type Lab } from '../ir/lab.ts';
import { type Matrix } from '../ir/matrix.ts';
import { type Predicate } from '../ir/recipe/recipe.ts';
import { constantTerm } from '../ir/recipe/predicate.ts';
import { noAgreement, tooLittleData } from '../messages/exit.ts';
import { needsData } from '../messages/plan.ts';
import { upperBound } from '../numerics/binomial.ts';
import { type PlanRequest } from './technique.ts';

/** The chance that the true disagreement is above the bound. */
const alpha = 0.05;
/** From strict to loose. */
const tried = Array.from({ length: 99 }, (_, at) => 0.99 - at / 100);

/** The share that `agreement >= 99%` asks for; undefined for other conditions. */
export function agreementAsked(when: Predicate): number | undefined {
	if (when.kind !== 'compare' || when.left.kind !== 'field' || when.left.name !== 'agreement')
		return undefined;
	return when.op === '>=' ? constantTerm(when.right) : undefined;
}

/** `confidence > t`, chosen. `early` is the model whose scores the exit gives. Throws `Fault` when data is too little or says no. */
export async function confidenceFor(
	asked: number,
	early: Model,
	scores: ValueName,
	areProbabilities: boolean,
	{ step, model, lab }: PlanRequest,
): Promise<Predicate> {
	const span = step.spans.when ?? step.span;
	if (lab?.calibrated !== true) throw new Fault(needsData({ metric: 'agreement' }, { span }));
	const [whole, exit] = [await rowsOn(lab, model, scores), await rowsOn(lab, early, scores)];
	const judged = Array.from({ length: exit.rows }, (_, row) => ({
		confidence: confidenceOf(rowOf(exit, row), areProbabilities),
		agrees: named(rowOf(exit, row)) === named(rowOf(whole, row)),
	}));
	// With no disagreement at all, the bound is 1 − alpha^(1/n).
	const least = Math.ceil(Math.log(alpha) / Math.log(asked));
	if (judged.length < least) throw new Fault(tooLittleData({ found: judged.length, least, asked }, { span }));
	let chosen: number | undefined;
	for (const threshold of tried) {
		const leave = judged.filter(({ confidence }) => confidence > threshold);
		if (leave.length < least) continue;
		const wrong = leave.filter(({ agrees }) => !agrees).length;
		if (upperBound(wrong, leave.length, alpha) > 1 - asked) break;
		chosen = threshold;
	}
	if (chosen === undefined) throw new Fault(noAgreement({ asked, count: judged.length }, { span }));
	return {
		kind: 'compare',
		op: '>',
		left: { kind: 'field', name: 'confidence' },
		right: { kind: 'number', value: chosen },
	};
}

const rowsOn = async (lab: Lab, model: Model, scores: ValueName): Promise<Matrix> =>
	present((await lab.rows(model, [scores], 'held out')).values[0], 'rows of scores');
const rowOf = ({ cols, data }: Matrix, row: number): Float64Array =>
	data.subarray(row * cols, (row + 1) * cols);
const named = (scores: Float64Array): number => scores.indexOf(Math.max(...scores));

function confidenceOf(scores: Float64Array, areProbabilities: boolean): number {
	const top = Math.max(...scores);
	return areProbabilities ? top : 1 / scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
}
