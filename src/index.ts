/** The library. */
export { applyPlan, compile } from './compile.ts';
export { checkText, type Checked } from './recipe-text/check-text.ts';
export { type BuildDocument, type CompileOptions, type ModelReport, type StepReport } from './document.ts';
export { evaluateModels, type Candidate, type EvaluateOptions, type Evaluated } from './tasks/evaluate.ts';
export { type Quality } from './quality/metric.ts';
export { driftBetween, inspectModel, type Examined } from './tasks/examine.ts';
export { loadModel, type Loaded } from './backends/onnx/load.ts';
export { Fault, type Diagnostic, type Severity, type Span } from './diagnostic.ts';
export { type Recipe, type Step } from './ir/recipe/recipe.ts';
export { type Drift, type Proof } from './ir/proof.ts';
export { version } from './version.ts';
