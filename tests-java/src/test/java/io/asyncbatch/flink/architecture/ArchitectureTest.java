package io.asyncbatch.flink.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The rooms of the project and the doors between them. */
class ArchitectureTest {

    private static final String ROOT = "io.asyncbatch.flink";
    private static final String TESTS_OF_THE_RULES = ROOT + ".architecture..";
    private static final String GENERATED = ROOT + ".proto..";

    private static JavaClasses production;
    private static JavaClasses everything;

    @BeforeAll
    static void readClasses() {
        production =
                new ClassFileImporter()
                        .withImportOption(new ImportOption.DoNotIncludeTests())
                        .importPackages(ROOT);
        everything = new ClassFileImporter().importPackages(ROOT);
        assertThat(production.contain(ROOT + ".operator.AsyncBatchWaitOperator")).isTrue();
        assertThat(everything.contain(ArchitectureTest.class)).isTrue();
    }

    @Test
    void operatorKnowsNothingOfPythonOrArrow() {
        noClasses()
                .that()
                .resideInAnyPackage(ROOT + ".operator..", ROOT + ".metrics..", ROOT + ".invoker..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        ROOT + ".worker..",
                        ROOT + ".graph..",
                        ROOT + ".arrow..",
                        GENERATED,
                        "org.apache.arrow..",
                        "org.apache.beam..",
                        "org.apache.flink.python..",
                        "com.google.protobuf..")
                .check(production);
    }

    /** A model server is called by a function like any other; only its channel speaks gRPC. */
    @Test
    void sidecarIsAFunctionAndKeepsItsProtocolToItself() {
        noClasses()
                .that()
                .resideOutsideOfPackage(ROOT + ".sidecar.channel..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.grpc..", "io.netty..", ROOT + ".proto.inference..")
                .allowEmptyShould(false)
                .check(
                        production.that(
                                resideOutsideOfPackages(GENERATED, "io.grpc..", "io.netty..")));
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".sidecar..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        ROOT + ".operator..",
                        ROOT + ".graph..",
                        ROOT + ".function..",
                        ROOT + ".arrow..")
                .check(production);
    }

    @Test
    void seamDependsOnNothingOfOurs() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".invoker..")
                .should()
                .dependOnClassesThat(
                        resideInAPackage(ROOT + "..")
                                .and(resideOutsideOfPackages(ROOT + ".invoker..")))
                .check(production);
    }

    /** Time is passed in, and who is limited is none of its business. */
    @Test
    void limitsAreArithmetic() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".limit..")
                .should()
                .dependOnClassesThat(
                        resideInAPackage(ROOT + "..")
                                .and(resideOutsideOfPackages(ROOT + ".limit..")))
                .orShould()
                .callMethod(System.class, "nanoTime")
                .orShould()
                .callMethod(System.class, "currentTimeMillis")
                .check(production);
    }

    /** What a batch is made of: the queue and the state know the batch, never the reverse order. */
    @Test
    void partsOfTheOperatorDoNotKnowTheOperator() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        ROOT + ".operator.buffer..",
                        ROOT + ".operator.inflight..",
                        ROOT + ".operator.queue..",
                        ROOT + ".operator.state..")
                .should()
                .dependOnClassesThat()
                .haveNameMatching(".*\\.AsyncBatchWaitOperator(Factory)?")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".operator.buffer..")
                .should()
                .dependOnClassesThat(
                        resideInAnyPackage(
                                ROOT + ".operator.inflight..", ROOT + ".operator.queue.."))
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".operator.inflight..")
                .should()
                .dependOnClassesThat(resideInAnyPackage(ROOT + ".operator.queue.."))
                .check(production);
    }

    /** The operator speaks to a provider through a seam, and only the seam's other side to HTTP. */
    @Test
    void onlyTheClientOfABatchApiKnowsHttp() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".batchapi..")
                .and()
                .resideOutsideOfPackage(ROOT + ".batchapi.client..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("java.net.http..")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".batchapi.client..")
                .should()
                .dependOnClassesThat(
                        resideInAnyPackage(
                                ROOT + ".batchapi.job..",
                                ROOT + ".batchapi.operator..",
                                ROOT + ".batchapi.state.."))
                .check(production);
    }

    /** Tables stand on the operator's parts and on what computes batches, never the reverse. */
    @Test
    void onlyTheGraphKnowsTables() {
        noClasses()
                .that()
                .resideInAPackage(ROOT + "..")
                .and()
                .resideOutsideOfPackages(ROOT + ".table..", ROOT + ".graph..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(ROOT + ".table..", "org.apache.flink.table.api..")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".table.gather..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        ROOT + ".table.provider..",
                        ROOT + ".table.backend..",
                        ROOT + ".worker..",
                        ROOT + ".sidecar..")
                .check(production);
        noClasses()
                .that()
                .resideInAPackage(ROOT + ".table.backend..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(ROOT + ".table.provider..", ROOT + ".table.gather..")
                .check(production);
    }

    @Test
    void publicClassesSayForWhom() {
        classes()
                .that()
                .arePublic()
                .and()
                .areTopLevelClasses()
                .and()
                .resideOutsideOfPackage(GENERATED)
                .should()
                .beAnnotatedWith(Internal.class)
                .orShould()
                .beAnnotatedWith(PublicEvolving.class)
                .check(production);
    }

    /** Looks at the sources: the compiler writes no class for a package-info that is a comment. */
    @Test
    void everyPackageSaysWhatLivesThere() throws IOException {
        Path root = Path.of("").toAbsolutePath().getParent();
        assertThat(root.resolve("tests-java")).isDirectory();
        try (Stream<Path> files = Files.walk(root)) {
            List<Path> sources =
                    files.map(root::relativize)
                            .filter(file -> file.toString().endsWith(".java"))
                            .filter(ArchitectureTest::isProductionOrThisModule)
                            .toList();
            Set<String> described =
                    sources.stream()
                            .filter(file -> file.endsWith("package-info.java"))
                            .map(ArchitectureTest::packageOf)
                            .collect(Collectors.toSet());
            assertThat(described).contains("io/asyncbatch/flink/operator");
            assertThat(sources).extracting(ArchitectureTest::packageOf).isSubsetOf(described);
        }
    }

    private static String packageOf(Path source) {
        return source.getParent().toString().replaceFirst(".*/java/", "");
    }

    private static boolean isProductionOrThisModule(Path source) {
        String path = source.toString();
        return !path.contains("target/")
                && (path.contains("src/main/java") || path.startsWith("tests-java"));
    }

    @Test
    void nothingSleeps() {
        noClasses()
                .that()
                .resideOutsideOfPackage(TESTS_OF_THE_RULES)
                .should()
                .callMethod(Thread.class, "sleep", long.class)
                .orShould()
                .callMethod(Thread.class, "sleep", long.class, int.class)
                .orShould()
                .callMethod(TimeUnit.class, "sleep", long.class)
                .check(everything);
    }
}
